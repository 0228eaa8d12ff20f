"""create, status and delete: what reaches gcloud, what is asked first, and how each thing that goes wrong is told."""

import os
import pty
import subprocess

import pytest

DESCRIBE = [
    *("compute", "tpus", "queued-resources", "describe", "my-tpu"),
    *("--project=my-project", "--zone=us-west4-a", "--quiet", "--format=value(state.state)"),
]


def last_line(done: subprocess.CompletedProcess) -> str:
    return done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("asked", "accelerator", "runtime"),
    [
        ("v4-8", "v4-8", "tpu-ubuntu2204-base"),
        ("v4:2x2x2", "v4-16", "tpu-ubuntu2204-base"),
        ("v5e-16", "v5litepod-16", "v2-alpha-tpuv5-lite"),
        ("v5e:4x4", "v5litepod-16", "v2-alpha-tpuv5-lite"),
        ("v5litepod-4", "v5litepod-4", "v2-alpha-tpuv5-lite"),
        ("v5p:2x2x1", "v5p-8", "v2-alpha-tpuv5"),
        ("v6e:2x4", "v6e-8", "v2-alpha-tpuv6e"),
    ],
)
def test_create_asks_for_the_slice(cloud, asked, accelerator, runtime):
    cloud("create", "--type", asked)
    (call,) = cloud.calls
    assert call == [
        *("compute", "tpus", "queued-resources", "create", "my-tpu"),
        *("--project=my-project", "--zone=us-west4-a", "--quiet", "--node-id=my-tpu"),
        *(f"--accelerator-type={accelerator}", f"--runtime-version={runtime}", "--spot"),
    ]


def test_create_passes_the_rest_on(cloud):
    further = {"TPU_CREATE_FLAGS": "--network=inner --subnetwork=inner-1"}
    cloud("create", "--on-demand", "--valid-until=6h", "--runtime", "special", env=further)
    (call,) = cloud.calls
    assert "--spot" not in call and "--runtime-version=special" in call
    assert call[-3:] == ["--valid-until-duration=6h", "--network=inner", "--subnetwork=inner-1"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--type", "v7-8"], "no such generation; there are v4, v5e, v5p, v6e"),
        (["--type", "v5e:4x4x4"], "the shape of a v5e slice has 2 numbers"),
        (["--type", "v4:2x2"], "the shape of a v4 slice has 3 numbers"),
        (["--type", "v5e-big"], "it must end in a number, such as v5e-8"),
        (["--type", "v4-12"], "counts cores, two a chip"),
        (["--typ", "v4-8"], "no flag --typ; did you mean --type?"),
        (["--qqqqqqq"], "no flag --qqqqqqq"),
        (["--type"], "--type: it needs a value"),
        (["--type", "--spot"], "--type: it needs a value"),
        (["extra"], "what is 'extra'?"),
        (["--name", "My TPU"], "it must be lower-case letters"),
        (["--zone", "europe-west4"], "a zone looks like us-central2-b"),
    ],
)
def test_bad_words_cost_one_line_and_no_call(cloud, words, told):
    done = cloud("create", *words, code=2)
    assert told in done.stderr and done.stderr.count("\n") == 1 and done.stdout == ""
    assert cloud.calls == []


@pytest.mark.parametrize("verb", ["create", "setup", "run", "logs", "fetch", "status", "delete"])
def test_missing_settings_cost_one_line(cloud, verb):
    done = cloud(verb, code=2, env={"TPU_PROJECT": "", "TPU_ZONE": ""})
    assert "missing: TPU_PROJECT TPU_ZONE; set them in tpu_scripts/settings.env" in done.stderr
    assert done.stderr.count("\n") == 1 and cloud.calls == []


def test_flags_win_over_the_environment_and_that_over_the_file(cloud):
    settings = cloud.checkout / "tpu_scripts" / "settings.env"
    for name in ("TPU_ZONE", "TPU_TYPE", "TPU_CAPACITY"):
        cloud.env.pop(name, None)
    text = settings.read_text().replace("TPU_ZONE=", "TPU_ZONE=us-east5-a").replace("TPU_TYPE=", "TPU_TYPE=v6e-4")
    settings.write_text(text.replace("TPU_CAPACITY=spot", "TPU_CAPACITY=on-demand"))
    done = cloud("create", "--dry-run", "--zone", "us-west1-c", env={"TPU_TYPE": "v6e-8"})
    assert "--zone=us-west1-c" in done.stdout and "--accelerator-type=v6e-8" in done.stdout
    assert "--spot" not in done.stdout and "--project=my-project" in done.stdout
    settings.write_text("TPU_ZOEN=x\n")
    assert "no setting TPU_ZOEN; did you mean TPU_ZONE?" in cloud("create", code=2).stderr
    settings.write_text("what is this\n")
    assert "settings.env: not NAME=VALUE: what is this" in cloud("create", code=2).stderr


@pytest.mark.parametrize("verb", ["create", "setup", "run", "logs", "fetch", "status", "delete"])
def test_help_tells_usage(cloud, verb):
    done = cloud(verb, "--help")
    assert f"{verb}.sh" in done.stdout and "--dry-run" in done.stdout and "shellcheck" not in done.stdout


def test_create_waits_for_the_tpu(cloud):
    done = cloud("create", "--wait")
    assert cloud.verbs() == ["create", "describe", "describe", "describe"]
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == [
        "WAITING_FOR_RESOURCES",
        "PROVISIONING",
        "ACTIVE",
    ]


@pytest.mark.parametrize("end", ["FAILED", "SUSPENDED"])
def test_a_request_that_ends_ends_the_wait(cloud, end):
    done = cloud("create", "--wait", code=1, env={"FAKE_STATES": f"PROVISIONING {end}"})
    assert f"my-tpu: {end}" in last_line(done)


def test_the_wait_outlives_looks_that_fail(cloud):
    cloud.fail("describe", times=4)
    cloud("create", "--wait")
    cloud("delete", "--yes")
    cloud.fail("describe", times=5)
    assert "no state of my-tpu in five attempts" in last_line(cloud("create", "--wait", code=1))


def test_a_request_that_gcloud_refuses(cloud):
    cloud("create")
    done = cloud("create", code=1)
    assert "ALREADY_EXISTS" in done.stderr and "my-tpu was not requested" in last_line(done)


def test_gcloud_that_hangs_is_ended(cloud):
    cloud.hang("create")
    done = cloud("create", code=1, env={"TPU_TIMEOUT": "0.3"})
    assert "gcloud compute tpus queued-resources create gave no answer within 0.3 s" in done.stderr


def test_a_signal_ends_gcloud_too(cloud):
    cloud.hang("create")
    process = subprocess.Popen(cloud.command("create"), env=cloud.env, stderr=subprocess.PIPE)
    cloud.until(lambda: cloud.calls)
    process.terminate()
    process.communicate(timeout=10)  # at once, though the fake would hang for a minute and hold the pipe
    assert process.returncode == 130


def test_no_gcloud_at_all(cloud):
    (cloud.driver / "gcloud").unlink()
    assert "no gcloud here" in cloud("create", code=2).stderr


def test_delete_refuses_without_an_answer(cloud):
    cloud("create")
    done = cloud("delete", code=2)
    assert "nobody to ask" in last_line(done) and "delete" not in cloud.verbs()


@pytest.mark.parametrize(("typed", "code", "goes"), [("my-tpu", 0, True), ("y", 1, False), ("", 1, False)])
def test_delete_wants_the_name_typed(cloud, typed, code, goes):
    cloud("create")
    ours, theirs = pty.openpty()
    os.write(ours, typed.encode() + b"\n")
    done = subprocess.run(cloud.command("delete"), env=cloud.env, stdin=theirs, capture_output=True, text=True)
    os.close(ours), os.close(theirs)
    assert done.returncode == code and "Type my-tpu to delete it" in done.stderr
    assert ("delete" in cloud.verbs()) == goes
    assert goes or "nothing was deleted" in done.stderr


def test_delete_with_yes(cloud):
    cloud("create", "--wait")
    cloud("delete", "--yes")
    assert cloud.calls[-1] == [
        *("compute", "tpus", "queued-resources", "delete", "my-tpu"),
        *("--project=my-project", "--zone=us-west4-a", "--quiet", "--force"),
    ]
    done = cloud("delete", "--yes", code=1)
    assert done.stderr == "delete.sh: there is no my-tpu in us-west4-a of my-project\n"


def test_delete_that_fails_says_that_it_still_costs(cloud):
    cloud("create")
    cloud.fail("queued-resources delete")
    assert "may still cost" in last_line(cloud("delete", "--yes", code=1))


def test_status_of_nothing_and_of_a_request(cloud):
    assert "there is no my-tpu" in cloud("status", code=1).stderr
    cloud("create")
    done = cloud("status", code=1)
    assert done.stdout.startswith("request: WAITING_FOR_RESOURCES\n")


def test_status_of_a_tpu(tpu):
    done = tpu("status")
    assert done.stdout.splitlines()[:2] == ["request: ACTIVE", "TPU: READY"]
    assert sorted(done.stdout.splitlines()[2:]) == [f"worker {n}: none: no job yet" for n in (0, 1)]
    tpu.fail("ssh")
    assert "not every worker answered" in last_line(tpu("status", code=1))


def test_dry_run_prints_what_would_be_called_and_calls_nothing(cloud):
    """The printed lines, pasted into a shell, are the calls of the real run."""
    wet = [["create", "--wait"], ["setup"], ["status"], ["run", "experiments.vae", "--name", "a  b'$c\n*"], ["logs"]]
    wet += [["fetch"], ["run", "--stop"], ["delete", "--yes"]]
    printed = [cloud(verb, "--dry-run", *words).stdout for verb, *words in wet]
    assert cloud.calls == []
    for words in wet:
        cloud(*words, env={"FAKE_STATES": "ACTIVE"})
    called = cloud.calls
    (cloud.cloud / "calls.jsonl").unlink()
    (cloud.root / "checkout" / "pasted.sh").write_text("".join(printed))
    env = cloud.env | {"FAKE_STATES": "ACTIVE"}
    subprocess.run(["bash", cloud.checkout / "pasted.sh"], env=env, check=True, capture_output=True)
    archive = str(cloud.root / "adl.tar.gz")
    assert [[archive if word.endswith("/adl.tar.gz") else word for word in call] for call in called] == cloud.calls
