"""setup, run, logs and fetch, the workers' side really run: what arrives there, restarts and comes back."""

import subprocess

import pytest

HARD = [
    *("--name", "two  blanks", "--quote", 'it\'s "so"', "--dollar=$HOME `id` $(id)", "--glob", "*", "--back\\slash"),
    *(
        "--lines",
        "one\ntwo\n",
        "--empty",
        "",
        "--semicolon",
        ";&|<>()",
        "--tilde",
        "~",
        "--unicode",
        "αβ",
        "--bang",
        "!",
    ),
]


def start(cloud, *words, **options):
    return cloud("run", "experiments.vae", *words, **options)


def ended(cloud, *workers):
    return lambda: all(cloud.state(worker).startswith(("done", "failed", "stopped")) for worker in workers)


def test_setup_copies_what_git_does_not_ignore(cloud):
    cloud("create", "--wait")
    odd = "it's  odd $x.py"
    for name in ("kept.py", odd, "ignored.log", "removed.py", "later.py"):
        (cloud.checkout / name).write_text(name)
    (cloud.checkout / ".gitignore").write_text("*.log\n")
    subprocess.run(["git", "-C", cloud.checkout, "add", "removed.py", "kept.py"], check=True)
    (cloud.checkout / "removed.py").unlink()
    done = cloud("setup")
    assert sorted(done.stdout.splitlines()) == [f"worker {n}: ready: Python 3.12.9, jax 0.11.0" for n in (0, 1)]
    for worker in (0, 1):
        adl = cloud.home(worker) / "adl"
        assert (adl / odd).read_text() == odd and (adl / "kept.py").exists()
        assert not (adl / "ignored.log").exists() and not (adl / "removed.py").exists()
    # Again: what the checkout no longer has goes, what the worker made stays.
    (cloud.home() / "adl" / "runs" / "vae").mkdir()
    (cloud.home() / "adl" / "own.txt").touch()
    (cloud.checkout / "later.py").unlink()
    cloud("setup")
    adl = cloud.home() / "adl"
    assert not (adl / "later.py").exists() and (adl / "own.txt").exists() and (adl / "runs" / "vae").is_dir()


def test_setup_brings_a_python_where_the_image_has_none_that_is_new_enough(cloud):
    cloud("create", "--wait")
    cloud("setup")
    assert (cloud.home() / ".local" / "bin" / "uv").exists()  # fake_python's python3 says 3.10
    cloud("delete", "--yes")
    (cloud.worker / "python3.12").symlink_to(cloud.worker / "python3")
    cloud("create", "--wait")
    cloud("setup")
    assert not (cloud.home() / ".local").exists()


def test_setup_tells_the_reason_of_each_worker(cloud):
    cloud("create", "--wait")
    (cloud.home(1) / "no_network").touch()
    done = cloud("setup", code=1)
    assert "worker 0: ready" in done.stdout
    assert "worker 1: .venv/bin/python -m pip install -e .[tpu] failed: ERROR: no network" in done.stdout
    assert done.stderr.endswith("setup.sh: not every worker is ready: the reasons are above\n")


def test_setup_mounts_the_bucket(cloud):
    cloud("create", "--wait")
    assert "no gcsfuse for --bucket my-bucket" in cloud("setup", "--bucket", "my-bucket", code=1).stdout
    gcsfuse = cloud.worker / "gcsfuse"
    gcsfuse.write_text('#!/usr/bin/env bash\n[[ $1 == --help ]] || echo "$@" >>"$HOME/mounts"\n')
    gcsfuse.chmod(0o755)
    cloud("setup", "--bucket", "my-bucket")
    assert (cloud.home(1) / "mounts").read_text().endswith("--type-cache-ttl=0 my-bucket bucket\n")
    assert "without gs://" in cloud("setup", "--bucket", "gs://my-bucket", code=2).stderr


def test_setup_before_there_is_a_tpu(cloud):
    assert "the checkout was not copied" in cloud("setup", code=1).stderr


def test_words_arrive_as_they_were_given(tpu):
    tpu.plan("75", "0")
    start(tpu, *HARD)
    tpu.until(ended(tpu, 0, 1))
    for worker in (0, 1):  # at the first start and at the restart
        assert tpu.ran(worker) == 2 * [["experiments.vae", *HARD]]


def test_the_job_outlives_ssh_and_ends(tpu):
    tpu.plan("stay", "0")
    done = start(tpu)
    assert sorted(done.stdout.splitlines()) == [f"worker {n}: started: experiments.vae" for n in (0, 1)]
    tpu.until(lambda: (tpu.home(1) / "staying").exists())  # ssh has ended, the job has not
    status = tpu("status").stdout
    assert "worker 1: running, 0 restarts: experiments.vae" in status
    tpu("run", "--stop")
    start(tpu)
    tpu.until(ended(tpu, 0, 1))
    assert "worker 0: done: experiments.vae" in tpu("status").stdout


@pytest.mark.parametrize(
    ("plan", "starts", "state"),
    [
        (["0"], 1, "done"),
        (["75", "kill", "75", "0"], 4, "done"),
        (["75", "1"], 2, "failed: exit 1: error: this is exit 1"),
        (["2"], 1, "failed: exit 2: error: this is exit 2"),
        (5 * ["75"] + ["0"], 5, "failed: gave up after 5 exits within 60 s each, the last with 75"),
    ],
    ids=["done", "preempted", "failed", "bad input", "for ever"],
)
def test_what_restarts_and_what_does_not(tpu, plan, starts, state):
    tpu.plan(*plan)
    start(tpu)
    tpu.until(ended(tpu, 0, 1))
    assert tpu.state() == state and len(tpu.ran()) == starts


def test_slow_exits_are_no_reason_to_give_up(tpu):
    tpu.plan(*7 * ["75"], "0")
    start(tpu, env={"ADL_QUICK_SECONDS": "0"})
    tpu.until(ended(tpu, 0, 1))
    assert tpu.state() == "done" and len(tpu.ran()) == 8


def test_a_second_job_is_refused_until_the_first_is_stopped_or_replaced(tpu):
    tpu.plan("stay")
    start(tpu)
    tpu.until(lambda: all((tpu.home(n) / "staying").exists() for n in (0, 1)))
    done = tpu("run", "experiments.diffusion", code=1)
    assert done.stderr.splitlines()[-1].startswith("run.sh: a job is running (worker ")
    assert "a job is running; run.sh --stop first" in tpu("setup", code=1).stdout
    tpu.plan("0")
    tpu("run", "--replace", "experiments.diffusion")
    tpu.until(ended(tpu, 0, 1))
    assert tpu.ran() == [["experiments.vae"], ["experiments.diffusion"]]
    for worker in (0, 1):  # one signal: a second would have cost the checkpoint
        assert (tpu.home(worker) / "saved").exists() and not (tpu.home(worker) / "lost").exists()


def test_stop_saves_and_does_not_restart(tpu):
    tpu.plan("stay")
    start(tpu)
    tpu.until(lambda: (tpu.home() / "staying").exists())
    assert sorted(tpu("run", "--stop").stdout.splitlines()) == ["worker 0: stopped", "worker 1: stopped"]
    assert tpu.state() == "stopped" and len(tpu.ran()) == 1 and (tpu.home() / "saved").exists()
    assert "nothing is running" in tpu("run", "--stop").stdout


def test_stop_ends_the_wait_before_a_restart(tpu):
    tpu.plan("75")
    start(tpu, env={"ADL_FIRST_WAIT": "50"})
    tpu.until(lambda: tpu.state().startswith("restarting in 50 s after exit 75, 1 restarts"))
    tpu("run", "--stop")
    assert tpu.state() == "stopped"


def test_a_supervisor_that_is_gone_is_told(tpu):
    tpu.plan("stay")
    start(tpu)
    tpu.until(lambda: all((tpu.home(n) / "staying").exists() for n in (0, 1)))
    pid = (tpu.home() / "adl" / "runs" / ".job" / "pid").read_text().strip()
    subprocess.run(["kill", "-KILL", pid], check=True)
    tpu.until(lambda: (tpu.home() / "saved").exists())  # its experiment does not outlive it
    assert "worker 0: lost (running, 0 restarts)" in tpu("status").stdout


def test_a_shutdown_signals_the_experiment_once(tpu):
    """Power going off: every process gets SIGTERM at once, the supervisor too, which must not pass it on."""
    tpu.plan("stay")
    start(tpu)
    tpu.until(lambda: all((tpu.home(n) / "staying").exists() for n in (0, 1)))
    job = tpu.home() / "adl" / "runs" / ".job"
    subprocess.run(["kill", (job / "pid").read_text().strip(), (job / "child").read_text().strip()], check=True)
    tpu.until(lambda: tpu.state() == "interrupted by a shutdown")
    assert (tpu.home() / "saved").exists() and not (tpu.home() / "lost").exists() and len(tpu.ran()) == 1
    assert "worker 0: lost (interrupted by a shutdown)" in tpu("status").stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "which experiment?"),
        (["experiments.difusion"], "no experiment experiments.difusion; did you mean experiments.diffusion?"),
        (["vae"], "no experiment vae; did you mean experiments.vae?"),
        (["os"], "no experiment os\n"),
        (["experiments.vae", "--workdir", "gs://b/vae"], "setup.sh --bucket NAME mounts a bucket"),
        (["experiments.vae", "--workdir=gs://b/vae"], "setup.sh --bucket NAME mounts a bucket"),
        (["--keep-alive", "experiments.vae"], "add --yes"),
        (["--stop", "experiments.vae"], "what is 'experiments.vae'?"),
    ],
)
def test_bad_words_cost_a_line_and_no_call(cloud, words, told):
    done = cloud("run", *words, code=2)
    assert told in done.stderr and cloud.calls == []


def test_run_before_setup(cloud):
    cloud("create", "--wait")
    assert "nothing is installed there: setup.sh first" in start(cloud, code=1).stderr


def test_a_worker_that_does_not_start_is_told(tpu):
    tpu.fail("start experiments")
    assert "not every worker started" in start(tpu, code=1).stderr


def test_logs(tpu):
    assert "no log of worker 0" in tpu("logs", code=1).stderr
    tpu.plan("75", "0")
    start(tpu)
    tpu.until(ended(tpu, 0, 1))
    lines = tpu("logs").stdout.splitlines()
    assert [line for line in lines if line.startswith("this is")] == 2 * ["this is experiments.vae"]
    assert sum("start experiments.vae" in line for line in lines) == 2
    assert len(tpu("logs", "--lines", "2").stdout.splitlines()) == 2
    named = tpu("logs", "--worker=all", "--lines=1").stdout.splitlines()
    assert sorted(line.partition(": ")[0] for line in named) == ["worker 0", "worker 1"]
    assert "worker index 7 is larger" in tpu("logs", "--worker", "7", code=1).stderr
    assert "it must be a number or all" in tpu("logs", "--worker", "x", code=2).stderr


def test_logs_followed_until_the_job_ends(tpu):
    tpu.plan("stay")
    start(tpu)
    tpu.until(lambda: all((tpu.home(n) / "staying").exists() for n in (0, 1)))
    follower = subprocess.Popen(tpu.command("logs", "--follow"), env=tpu.env, stdout=subprocess.PIPE, text=True)
    assert "start experiments.vae" in follower.stdout.readline()
    tpu("run", "--stop")
    rest, _ = follower.communicate(timeout=20)
    assert "exit 75" in rest and follower.returncode == 0


def test_fetch(tpu):
    runs = tpu.home() / "adl" / "runs"
    for name in ("vae", "diffusion"):
        (runs / name).mkdir()
        (runs / name / "metrics.jsonl").write_text(name)
    own = tpu.checkout / "runs"
    (own / "vae").mkdir(parents=True)
    tpu("fetch", "vae")
    assert [path.name for path in (own / "my-tpu").iterdir()] == ["vae"] and not any((own / "vae").iterdir())
    (runs / "vae" / "metrics.jsonl").write_text("more")
    tpu("fetch", "vae")
    assert (own / "my-tpu" / "vae" / "metrics.jsonl").read_text() == "more"
    to = tpu.root / "some where"
    tpu("fetch", "--to", str(to))
    assert sorted(path.name for path in to.iterdir()) == ["diffusion", "setup.log", "vae"]
    assert "nothing, or not everything, came" in tpu("fetch", "none", code=1).stderr
    assert "it must be the name of a folder" in tpu("fetch", "../x", code=2).stderr
    assert "what is 'b'?" in tpu("fetch", "a", "b", code=2).stderr
