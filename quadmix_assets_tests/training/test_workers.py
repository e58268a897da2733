import dataclasses
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest

from quadmix_assets.training.progress import BatchProgress, ProgressBoard
from quadmix_assets.training.stacks import ProxyResult
from quadmix_assets.training.train_stack import train_stack
from quadmix_assets.training.workers import StackBatch, run_stacks
from quadmix_assets_tests.training.stacks import make_board, make_job, make_stacks

FOREVER = 10**9


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    """Spawned workers, without multiprocessing's own helper."""
    found = []
    for child in process.children():
        try:
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def run(folder: Path, n_stacks: int, n_workers: int, n_tokens: int = 640) -> list[ProxyResult]:
    job = make_job(folder, n_tokens=n_tokens)
    results = run_stacks(
        [StackBatch(job, make_stacks(n_stacks), make_board())], n_workers=n_workers
    )
    return sorted((result for _, stack in results for result in stack), key=lambda r: r.sample_id)


def test_processes_give_what_one_process_gives(tmp_path: Path) -> None:
    by_hand = [
        result
        for stack in make_stacks(3)
        for result in train_stack(make_job(tmp_path, n_tokens=640), stack, print)
    ]
    assert run(tmp_path, 3, 1) == by_hand
    assert run(tmp_path, 3, 2) == by_hand
    assert [result.sample_id for result in by_hand] == [0, 1, 2]
    assert len({result.losses["held_out"] for result in by_hand}) == 3


def test_batches_of_trainings_of_other_lengths_share_the_processes(tmp_path: Path) -> None:
    jobs = [make_job(tmp_path / str(n), n_tokens=n) for n in (320, 640)]
    by_hand = [train_stack(job, stack, print) for job in jobs for stack in make_stacks(2)]
    for n_workers in (1, 2):
        heard: list[list[BatchProgress]] = [[], []]
        batches = [
            StackBatch(
                job,
                make_stacks(2),
                ProgressBoard(2, 2 * job.recipe.n_tokens_per_proxy, told.append, seconds=0.0),
            )
            for job, told in zip(jobs, heard, strict=True)
        ]
        found = list(run_stacks(batches, n_workers=n_workers))
        in_order = sorted(found, key=lambda one: (one[0], one[1][0].sample_id))
        assert [results for _, results in in_order] == by_hand
        assert [told[-1].n_tokens for told in heard] == [640, 1_280]
        if n_workers == 1:
            assert [batch for batch, _ in found] == [1, 1, 0, 0]


@pytest.mark.parametrize(("n_stacks", "n_workers"), [(1, 3), (2, 1), (3, 2)])
def test_progress_is_told(tmp_path: Path, n_stacks: int, n_workers: int) -> None:
    heard: list[BatchProgress] = []
    job = make_job(tmp_path, n_tokens=640)
    board = ProgressBoard(n_stacks, n_stacks * 640, heard.append, seconds=0.0)
    before = len(workers_of(psutil.Process()))
    list(run_stacks([StackBatch(job, make_stacks(n_stacks), board)], n_workers=n_workers))
    last = heard[-1]
    assert (last.n_tokens, last.n_failed, last.eta_seconds) == (n_stacks * 640, 0, 0.0)
    assert last.tokens_per_second > 0
    assert 0 < last.mean_loss_nats < 10
    if min(n_stacks, n_workers) == 1:
        assert len(workers_of(psutil.Process())) == before


def test_an_error_in_one_part_ends_the_others(tmp_path: Path) -> None:
    job = make_job(tmp_path, n_tokens=FOREVER)
    (sample, hashes), *_ = make_stacks(1)[0]
    broken = (dataclasses.replace(sample, copies=sample.copies - 100), hashes)
    with pytest.raises(ValueError, match="copies must not be negative"):
        list(
            run_stacks([StackBatch(job, [make_stacks(1)[0], [broken]], make_board())], n_workers=2)
        )
    again = dataclasses.replace(
        job, recipe=job.recipe.model_copy(update={"n_tokens_per_proxy": 640})
    )
    # The worker of the endless stack must come free for the next batch.
    assert (
        len(list(run_stacks([StackBatch(again, make_stacks(2), make_board())], n_workers=2))) == 2
    )


def test_a_worker_that_dies_is_an_error_that_names_settings_and_the_next_try_works(
    tmp_path: Path,
) -> None:
    expected = run(tmp_path, 2, 2)
    victims = workers_of(psutil.Process())
    assert victims

    def kill_soon() -> None:
        time.sleep(0.5)
        victims[0].kill()

    killer = threading.Thread(target=kill_soon)
    killer.start()
    with pytest.raises(RuntimeError, match=r"died.*lower proxies.n_workers or proxies.stack_size"):
        run(tmp_path, 2, 2, FOREVER)
    killer.join()
    assert run(tmp_path, 2, 2) == expected


def test_a_worker_that_died_between_batches_does_not_spoil_all_that_follow(
    tmp_path: Path,
) -> None:
    expected = run(tmp_path, 2, 2)
    victims = workers_of(psutil.Process())
    for victim in victims:
        victim.kill()
    psutil.wait_procs(victims, timeout=10)
    time.sleep(0.5)  # until the pool has noticed
    with pytest.raises(RuntimeError, match="a process that trains proxies died"):
        run(tmp_path, 2, 2)
    assert run(tmp_path, 2, 2) == expected


def test_workers_leave_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        from pathlib import Path
        from quadmix_assets.training.workers import StackBatch, run_stacks
        from quadmix_assets_tests.training.stacks import make_board, make_job, make_stacks

        if __name__ == "__main__":
            for n_tokens in (640, {FOREVER}):
                job = make_job(Path({str(tmp_path)!r}), n_tokens=n_tokens)
                list(run_stacks([StackBatch(job, make_stacks(2), make_board())], n_workers=2))
                print("trained", flush=True)
    """)
    path = tmp_path / "parent.py"
    path.write_text(script)
    command = [sys.executable, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "trained\n"
        workers = workers_of(psutil.Process(parent.pid))
        assert len(workers) == 2
        seconds = workers[0].cpu_times().user
        while workers[0].cpu_times().user < seconds + 0.2:
            time.sleep(0.05)  # until the endless batch is being trained
        parent.kill()
    gone, alive = psutil.wait_procs(workers, timeout=20)
    for worker in alive:
        worker.kill()
    assert len(gone) == 2


def test_a_step_process_ends_though_its_workers_are_idle(tmp_path: Path) -> None:
    """Dagster runs a step in a process of multiprocessing, which joins its children at its end."""
    program = tmp_path / "step.py"
    program.write_text(
        textwrap.dedent(f"""
            import multiprocessing
            from pathlib import Path

            from quadmix_assets.training.workers import StackBatch, run_stacks
            from quadmix_assets_tests.training.stacks import make_board, make_job, make_stacks

            def step():
                job = make_job(Path({str(tmp_path / "pool")!r}), n_tokens=640)
                batch = StackBatch(job, make_stacks(2), make_board())
                print(len(list(run_stacks([batch], n_workers=2))))

            if __name__ == "__main__":
                process = multiprocessing.get_context("spawn").Process(target=step)
                process.start()
                process.join(90)
                print("ended with", process.exitcode)
                process.kill()
        """)
    )
    result = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=False, timeout=150
    )
    assert "ended with 0" in result.stdout, result.stdout + result.stderr
