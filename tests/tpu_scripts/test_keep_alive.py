"""run --keep-alive: from nothing to done, through preemptions, reboots and gcloud's own failures."""

import subprocess

import pytest


@pytest.fixture
def watch(cloud):
    """Starts the watch in the background."""
    started = []

    def start(*words):
        command = cloud.command("run", "--keep-alive", "--yes", *words, "experiments.vae", "--seed", "3")
        started.append(
            subprocess.Popen(command, env=cloud.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def end(process):
    output, _ = process.communicate(timeout=30)
    return process.returncode, output


def staying(cloud):
    return lambda: all((cloud.home(worker) / "staying").exists() for worker in (0, 1))


def stay(cloud):
    """The next experiments on the workers stay."""
    cloud.until(lambda: cloud.home(1).is_dir())
    cloud.plan("stay")


def test_from_nothing_to_done(cloud, watch):
    code, output = end(watch())
    assert code == 0 and "my-tpu: done" in output, output
    assert cloud.ran(0) == cloud.ran(1) == [["experiments.vae", "--seed", "3"]]


def test_a_preempted_tpu_is_made_again_and_its_job_goes_on(cloud, watch):
    process = watch("--bucket", "b")
    gcsfuse = cloud.worker / "gcsfuse"
    gcsfuse.write_text("#!/usr/bin/env bash\n")
    gcsfuse.chmod(0o755)
    stay(cloud)
    cloud.until(staying(cloud))
    cloud.preempt()
    code, output = end(process)
    assert code == 0 and "SUSPENDED" in output, output
    # Without a plan the experiment on the new disks ends at once; deleted only after the service had taken it back.
    assert cloud.ran() == [["experiments.vae", "--seed", "3"]]
    verbs = [verb for verb in cloud.verbs() if verb in ("create", "delete", "scp")]
    assert verbs == ["create", "scp", "delete", "create", "scp"]


def test_vms_that_are_gone_before_the_request_knows(cloud, watch):
    cloud("create", "--wait")
    cloud("setup")
    cloud.plan("stay")
    process = watch()
    cloud.until(staying(cloud))
    (cloud.cloud / "node").write_text("PREEMPTED")
    cloud.fail("job status")
    code, output = end(process)
    assert code == 0 and "delete" in cloud.verbs(), output


@pytest.mark.parametrize("rebooted", [(0, 1), (0,)], ids=["all", "one, so the others start again with it"])
def test_a_reboot_is_no_preemption(cloud, watch, rebooted):
    process = watch()
    stay(cloud)
    cloud.until(staying(cloud))
    for worker in (0, 1):
        (cloud.home(worker) / "plan").write_text("0")
    for worker in rebooted:
        pid = (cloud.home(worker) / "adl" / "runs" / ".job" / "pid").read_text().strip()
        subprocess.run(["kill", "-KILL", pid], check=True)
    code, output = end(process)
    assert code == 0 and "delete" not in cloud.verbs(), output
    assert len(cloud.ran(0)) == len(cloud.ran(1)) == 2


def test_a_watch_that_was_lost_joins_its_job(cloud, watch):
    first = watch()
    stay(cloud)
    cloud.until(staying(cloud))
    first.kill()
    second = watch()
    cloud.until(lambda: cloud.verbs().count("ssh") > 6)
    cloud("run", "--stop")
    code, output = end(second)
    assert code == 0 and "runs already: experiments.vae --seed 3" in output and "stopped" in output
    assert len(cloud.ran()) == 1


def test_another_job_is_not_touched(cloud, watch):
    cloud("create", "--wait")
    cloud("setup")
    cloud.plan("stay")
    cloud("run", "experiments.diffusion")
    code, output = end(watch())
    assert code == 1 and "a job is running: experiments.diffusion" in output


def test_a_failed_job_ends_the_watch(cloud, watch):
    process = watch()
    cloud.until(lambda: cloud.home(1).is_dir())
    cloud.plan("1")
    code, output = end(process)
    assert code == 1 and "failed: exit 1: error: this is exit 1" in output


@pytest.mark.parametrize(("times", "code"), [(3, 0), (5, 1)])
def test_looks_that_fail_are_repeated_a_few_times(cloud, watch, times, code):
    cloud("create", "--wait")
    cloud.fail("queued-resources describe", times=times)
    got, output = end(watch())
    assert got == code, output
    assert (code == 0) or "five looks in a row went wrong" in output


def test_dry_run_tells_what_a_preemption_would_cause(cloud):
    done = cloud("run", "--keep-alive", "--yes", "--dry-run", "experiments.vae")
    lines = [line.split()[4] for line in done.stdout.splitlines() if line.startswith("gcloud")]
    assert lines == ["ssh", "describe", "ssh", "delete", "create", "describe", "ssh", "scp", "ssh", "ssh"]
    assert cloud.calls == []
