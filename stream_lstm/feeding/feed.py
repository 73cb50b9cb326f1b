"""`stream-lstm feed`: what closes at an exchange from now on, into an input topic, without a gap.

Each series has a task of its own, which asks the exchange whenever a candle ought to have closed, whenever
the stream was connected, and whenever the stream shows a candle later than the one that is awaited.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from stream_lstm.errors import BrokerError, TopicMissing
from stream_lstm.exchange.markets import Listing
from stream_lstm.exchange.stream import Stream
from stream_lstm.exchange.venue import Venue
from stream_lstm.feeding.bootstrap import Target
from stream_lstm.feeding.gate import Gate
from stream_lstm.feeding.holdings import newest_held
from stream_lstm.feeding.tending import Fed, Manner, Surroundings, Tended
from stream_lstm.streaming.feeder import Feeder

_KAFKA_SECONDS: Final = 5.0


class Feed:
    """Publishes the candles of some series of an exchange until it is cancelled.

    `run` begins where the topic ends, or for a series of which it holds nothing with the newest candle that
    has closed. What Kafka or the exchange do not take or give is waited for, and `say` is told. `ready` is
    set when all that had closed is in the topic.
    """

    def __init__(
        self,
        target: Target,
        venue: Venue,
        listings: Sequence[Listing],
        manner: Manner,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.fed = Fed()
        self.ready = asyncio.Event()
        self._target = target
        self._venue = venue
        self._listings = listings
        self._manner = manner
        self._say = say

    async def run(self) -> None:
        """Feed, for ever. Raises `TopicMissing`, and `VenueError` if the exchange refuses for good."""
        while True:
            try:
                await self._session()
            except TopicMissing:
                raise
            except BrokerError as error:
                # What of the last batch is in the log only the log knows: so it is read again.
                self._say(f"waits {_KAFKA_SECONDS:.0f} s for Kafka: {error}")
                await asyncio.sleep(_KAFKA_SECONDS)

    async def _session(self) -> None:
        """From what the topic holds on, until something fails."""
        target, venue = self._target, self._venue
        steps = {listing.series: listing.step_ms for listing in self._listings}
        self._say(f"reads where {target.topic} ends")
        held = await newest_held(target.connection, target.topic, target.pin, steps, venue.now_ms())
        async with Feeder(target.connection, target.topic) as feeder:
            gate = Gate(self._manner.grace_ms)
            around = Surroundings(venue, feeder, gate, self._manner, self.fed, self._say)
            tended = {
                listing: Tended(around, listing, held[listing.series].recent.values())
                for listing in self._listings
            }
            self._introduce(list(tended.values()))
            try:
                async with asyncio.TaskGroup() as group:
                    for one in tended.values():
                        group.create_task(one.tend())
                    if self._manner.stream and venue.streams and self._manner.forming_ms:
                        group.create_task(self._stream(tended).follow(self._listings))
                    group.create_task(self._tell_ready(list(tended.values())))
            except ExceptionGroup as failed:  # the first one ended all the others
                raise failed.exceptions[0] from None

    def _introduce(self, tended: Sequence[Tended]) -> None:
        fresh = [one.listing.symbol for one in tended if one.succession.next_ms is None]
        if fresh:
            self._say(
                f"{self._target.topic} holds nothing of {', '.join(fresh[:5])}"
                f"{' and more' if len(fresh) > 5 else ''}: begins with what closed last "
                "(`stream-lstm bootstrap` loads what came before)"
            )
        how = "and its stream" if self._manner.stream and self._venue.streams else "by asking alone"
        self._say(f"feeds {len(tended)} series of {self._venue.name} into {self._target.topic}, {how}")

    def _stream(self, tended: dict[Listing, Tended]) -> Stream:
        def connected(listings: Sequence[Listing]) -> None:
            for listing in listings:
                tended[listing].ask_again()
            if self.fed.losses:
                self._say(
                    f"{self._venue.name} streams {len(listings)} series again: looks for what was missed"
                )

        def lost(listings: Sequence[Listing], why: str) -> None:
            self.fed.losses += 1
            self._say(f"the stream of {len(listings)} series of {self._venue.name} is lost: {why}")

        return Stream(
            self._venue,
            offer=lambda listing, row: tended[listing].offer(row),
            connected=connected,
            lost=lost,
        )

    async def _tell_ready(self, tended: Sequence[Tended]) -> None:
        for one in tended:
            await one.caught_up.wait()
        if not self.ready.is_set():
            self.ready.set()
            self._say("all that has closed is in the topic; waits for the next candle")
