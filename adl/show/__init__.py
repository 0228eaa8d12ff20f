"""Figures: the only place that knows matplotlib. It draws what a run returns, one file a measure, in one style."""

from adl.show.adversarial import attacked, under_attack
from adl.show.agents import episode_strip, lengths, policy_map, returns
from adl.show.aligned import frontier
from adl.show.answer import answers, right_by_length
from adl.show.asked import asked_pictures, asked_shares
from adl.show.boards import best_moves, elo_curve, visited_boards
from adl.show.calibration import reliability
from adl.show.captions import asked_of_pictures, pictures_and_captions, where_words_look
from adl.show.chains import agreement, cloud, first_two, marginal, marginals, most_correlated, trace, traces
from adl.show.chessmen import chess_moments, struggle_gains
from adl.show.classification import confusion, mistakes
from adl.show.clips import accuracy_by_change, clip_confusion, filmstrips
from adl.show.clustering import ascent, component_weights, likeliest, mixture_density, mixture_steps, prototypes
from adl.show.compared import beside_plain, compared_numbers, compared_samples
from adl.show.components import component_numbers, components_plane, eigenpictures, reconstructions
from adl.show.cost import quality_by_cost, samples_by_cost
from adl.show.curve import curves, denoising_losses, rescaled
from adl.show.density import estimate, histograms
from adl.show.depth import depth_maps, error_by_depth
from adl.show.detections import by_difficulty, detected, detection, precision_by_class
from adl.show.energy import descent, energies
from adl.show.ensembles import reliability_bars, rotation, subsets
from adl.show.extrapolation import extrapolated, strangers
from adl.show.forecast import forecast_bands, forecasts_by_step
from adl.show.functions import forecasts, process
from adl.show.gait import gait_film, gait_instants
from adl.show.game import players, translations
from adl.show.gridworld import grid_policies
from adl.show.heat import densities, field
from adl.show.hidden import casino, learned_dice, letters
from adl.show.images import image_grid, in_rows
from adl.show.kinds import kinds_of_texts
from adl.show.latents import exchanged, perturbed, prior, reconstructed, straight, traversal
from adl.show.layers import by_layer, kernel_responses
from adl.show.line import Line, lines
from adl.show.matrix import attention, clusters, heat_map, responsibilities
from adl.show.modes import at_modes, mode_counts
from adl.show.music import piano_rolls
from adl.show.names import bars, dots, marks
from adl.show.painted import in_styles
from adl.show.panels import page
from adl.show.pixels import completed_halves, pixel_samples
from adl.show.plane import landscape, probability, regions
from adl.show.play import grid_episodes, play_returns, played_frames
from adl.show.points import classes, embedding
from adl.show.pose import pose_scores, skeletons
from adl.show.regret import regrets
from adl.show.representation import features, linear_probe, members, views
from adl.show.restoration import restored
from adl.show.roc import threshold_curves
from adl.show.saliency import heat_maps, pointing_bars, randomisation
from adl.show.samplers import clouds, first_coordinates, moments
from adl.show.samples import beside_data, by_class, denoising, fidelity, guidance, interpolation, nearest, pictures
from adl.show.segmentation import SHOWN, class_overlap, object_overlap, segmented
from adl.show.strengths import by_strength
from adl.show.style import COLORS, Draw, figures, of, panel
from adl.show.text import continuations, next_token, repetition, surprise, symbols, written
from adl.show.tracks import track, track_errors
from adl.show.translated import alignment, translated_texts

__all__ = [
    "COLORS",
    "SHOWN",
    "Draw",
    "Line",
    "accuracy_by_change",
    "agreement",
    "alignment",
    "answers",
    "ascent",
    "asked_of_pictures",
    "asked_pictures",
    "asked_shares",
    "at_modes",
    "attacked",
    "attention",
    "bars",
    "beside_data",
    "beside_plain",
    "best_moves",
    "by_class",
    "by_difficulty",
    "by_layer",
    "by_strength",
    "casino",
    "chess_moments",
    "class_overlap",
    "classes",
    "clip_confusion",
    "cloud",
    "clouds",
    "clusters",
    "compared_numbers",
    "compared_samples",
    "completed_halves",
    "component_numbers",
    "component_weights",
    "components_plane",
    "confusion",
    "continuations",
    "curves",
    "denoising",
    "denoising_losses",
    "densities",
    "depth_maps",
    "descent",
    "detected",
    "detection",
    "dots",
    "eigenpictures",
    "elo_curve",
    "embedding",
    "energies",
    "episode_strip",
    "error_by_depth",
    "estimate",
    "exchanged",
    "extrapolated",
    "features",
    "fidelity",
    "field",
    "figures",
    "filmstrips",
    "first_coordinates",
    "first_two",
    "forecast_bands",
    "forecasts",
    "forecasts_by_step",
    "frontier",
    "gait_film",
    "gait_instants",
    "grid_episodes",
    "grid_policies",
    "guidance",
    "heat_map",
    "heat_maps",
    "histograms",
    "image_grid",
    "in_rows",
    "in_styles",
    "interpolation",
    "kernel_responses",
    "kinds_of_texts",
    "landscape",
    "learned_dice",
    "lengths",
    "letters",
    "likeliest",
    "linear_probe",
    "lines",
    "marginal",
    "marginals",
    "marks",
    "members",
    "mistakes",
    "mixture_density",
    "mixture_steps",
    "mode_counts",
    "moments",
    "most_correlated",
    "nearest",
    "next_token",
    "object_overlap",
    "of",
    "page",
    "panel",
    "perturbed",
    "piano_rolls",
    "pictures",
    "pictures_and_captions",
    "pixel_samples",
    "play_returns",
    "played_frames",
    "players",
    "pointing_bars",
    "policy_map",
    "pose_scores",
    "precision_by_class",
    "prior",
    "probability",
    "process",
    "prototypes",
    "quality_by_cost",
    "randomisation",
    "reconstructed",
    "reconstructions",
    "regions",
    "regrets",
    "reliability",
    "reliability_bars",
    "repetition",
    "rescaled",
    "responsibilities",
    "restored",
    "returns",
    "right_by_length",
    "rotation",
    "samples_by_cost",
    "segmented",
    "skeletons",
    "straight",
    "strangers",
    "struggle_gains",
    "subsets",
    "surprise",
    "symbols",
    "threshold_curves",
    "trace",
    "traces",
    "track",
    "track_errors",
    "translated_texts",
    "translations",
    "traversal",
    "under_attack",
    "views",
    "visited_boards",
    "where_words_look",
    "written",
]
