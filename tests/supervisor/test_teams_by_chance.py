"""A plugin with several workers under any order of events: what must hold after each of them, and in the end."""

import asyncio
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from endpointd.supervisor.recycling import Bounds
from endpointd.supervisor.state import State
from support.fake_worker import FakeWorker, Stage, fake_workers, rules, settle
from support.virtual_time import run_in_virtual_time


def alive() -> list[FakeWorker]:
    return [worker for worker in FakeWorker.made if worker.is_alive]


def starting() -> list[FakeWorker]:
    return [worker for worker in alive() if not worker.free_places()]


class Walk:
    """Chance in the place of plugins and operators."""

    def __init__(self, stage: Stage, chance: Random) -> None:
        self.stage = stage
        self.chance = chance
        self.changes = 1

    def step(self) -> None:
        usual = [self.ready, self.ready, self.ready, self.refuse, self.die, self.serve_the_time, self.be_stuck]
        self.chance.choice([*usual, self.change, self.number, self.look, self.start, self.stop])()

    def ready(self) -> None:
        if starting():
            self.chance.choice(starting()).ready()

    def refuse(self) -> None:
        if starting():
            self.chance.choice(starting()).refuse("load_failed", *self.chance.choice([(), ("syntax_error",)]))

    def die(self) -> None:
        if alive():
            self.chance.choice(alive()).die()

    def serve_the_time(self) -> None:
        if alive():
            self.chance.choice(alive()).requests = 100

    def be_stuck(self) -> None:
        if alive():
            self.chance.choice(alive()).leave_a_request_in_its_thread()

    def change(self) -> None:
        self.changes += 1
        self.stage.change(f"v{self.changes}")

    def number(self) -> None:
        self.stage.rules = rules(workers=self.chance.randint(1, 4), bounds=self.stage.rules.bounds)
        self.stage.supervisor.regulate(self.stage.rules)

    def look(self) -> None:
        self.stage.supervisor.look(asyncio.get_running_loop().time())

    def start(self) -> None:
        self.stage.supervisor.start()

    def stop(self) -> None:
        if self.chance.random() < 0.2:
            self.tasks = [asyncio.create_task(self.stage.supervisor.stop())]

    def check(self) -> None:
        supervisor, stage = self.stage.supervisor, self.stage
        takers = {stage.takes() for _ in range(12)} - {None}
        # Requests are matched by the routes of what was announced last.
        assert {worker.order.release for worker in takers if isinstance(worker, FakeWorker)} <= {*stage.served[-1:]}
        if takers:
            assert supervisor.life.state is State.RUNNING
        if supervisor.life.state is State.RUNNING and supervisor.life.failures == 0:
            assert takers

    async def pass_time(self) -> None:
        await asyncio.sleep(self.chance.choice([0, 0, 0.01, 0.6, 1.1, 30.0]))
        await settle()
        self.check()

    async def come_to_rest(self) -> None:
        """Nothing fails any more."""
        self.stage.supervisor.start()
        for _ in range(1000):
            for worker in starting():
                worker.ready()
            await asyncio.sleep(0.5)
            self.look()
            if self.stage.supervisor.life.state in (State.STOPPED, State.FATAL):
                self.stage.supervisor.start()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32))
def test_whatever_happens_the_workers_that_are_wanted_serve_in_the_end(seed: int) -> None:
    chance = Random(seed)

    async def story() -> None:
        stage = Stage(workers=chance.randint(1, 3), bounds=Bounds(requests=100))
        walk = Walk(stage, chance)
        stage.supervisor.start()
        for _ in range(25):
            for _ in range(chance.randint(1, 3)):
                walk.step()
            await walk.pass_time()
        await walk.come_to_rest()
        walk.check()
        takers = {stage.takes() for _ in range(12)}
        assert len(takers) == len(alive()) == stage.rules.workers
        assert stage.supervisor.is_settled
        await stage.supervisor.stop()
        assert stage.supervisor.life.state is State.STOPPED
        assert not alive()

    with pytest.MonkeyPatch.context() as patch, fake_workers(patch), capture_logs() as logs:
        run_in_virtual_time(story())
    assert [line for line in logs if line["event"] == "supervisor.defect"] == []
