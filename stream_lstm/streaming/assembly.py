"""The parts of a worker, made from the settings and put together; nothing is started here."""

import os
import platform
from functools import partial
from typing import Any, Final
from uuid import uuid4

from stream_lstm.candles.series import SeriesKey
from stream_lstm.checkpoints.store import CheckpointStore
from stream_lstm.dead_letters.letter import DeadLetters
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.partition_state import fingerprint
from stream_lstm.kafka.acls import Installation
from stream_lstm.kafka.connection import KafkaConnection
from stream_lstm.kafka.group import GroupConsumer
from stream_lstm.kafka.membership import GroupConfig
from stream_lstm.kafka.records import TopicPartition
from stream_lstm.kafka.topics import MODEL_EVENTS, TopicNames, subscription
from stream_lstm.observability.metrics import Metrics
from stream_lstm.observability.progress import Progress
from stream_lstm.registry.catalog import Catalog
from stream_lstm.registry.claims import Claims
from stream_lstm.registry.models import ModelStore
from stream_lstm.registry.objects import Objects
from stream_lstm.settings import Settings
from stream_lstm.settings.inputs import pin_of
from stream_lstm.streaming.arrivals import Arrivals
from stream_lstm.streaming.checkpointing import Checkpointer
from stream_lstm.streaming.claiming import Claiming
from stream_lstm.streaming.control.answers import Answers
from stream_lstm.streaming.control.commands import Commands
from stream_lstm.streaming.control.deletions import Deletions
from stream_lstm.streaming.control.desk import REMEMBERED, Desk
from stream_lstm.streaming.control.directory import Defaults, Directory
from stream_lstm.streaming.control.inbox import Inbox
from stream_lstm.streaming.control.outbox import Outbox
from stream_lstm.streaming.control.roles import Roles
from stream_lstm.streaming.control.steering import Steering
from stream_lstm.streaming.control.take_over import TakeOver
from stream_lstm.streaming.control.trials import Trials
from stream_lstm.streaming.encoding import Encoder
from stream_lstm.streaming.ends import abandonable
from stream_lstm.streaming.exactly_once import ExactlyOnce
from stream_lstm.streaming.lookout import Lookout
from stream_lstm.streaming.partition import Partition
from stream_lstm.streaming.publisher import AtLeastOnce, Publisher
from stream_lstm.streaming.restore import RestoreConfig, Restorer
from stream_lstm.streaming.saved_state import SavedStates
from stream_lstm.streaming.staleness import Staleness
from stream_lstm.streaming.telemetry import Telemetry
from stream_lstm.streaming.worker import Worker
from stream_lstm.training.trainer import Trainer, TrainerConfig

ASSIGNOR: Final = "sticky"
_FOR_THE_LOOP: Final = 0.6
"""Share of the time to stop in which the loop finishes its turn and gives its partitions up."""


def connection_of(settings: Settings) -> KafkaConnection:
    """Where Kafka is and as whom we come. Raises `SettingsError` for files that cannot be used."""
    kafka = settings.kafka
    connection = KafkaConnection(kafka.bootstrap_servers, client_id=kafka.group, security=kafka.security)
    connection.client_options()  # now, and not when the first client is made
    return connection


def installation_of(settings: Settings) -> Installation:
    """What the names of all that is in Kafka come from."""
    topics = [each.topic for each in settings.inputs if each.topic is not None]
    patterns = [each.pattern for each in settings.inputs if each.pattern is not None]
    names, exactly_once = TopicNames(settings.topics.prefix), settings.delivery == "exactly_once"
    return Installation(names, topics, patterns, settings.kafka.group, exactly_once)


def assemble(settings: Settings, metrics: Metrics, progress: Progress) -> Worker:
    """A worker whose parts are not started yet. Raises `SettingsError`, `StoreError`."""
    names, connection = TopicNames(settings.topics.prefix), connection_of(settings)
    worker_id = settings.worker.instance or f"{platform.node()}-{os.getpid()}-{uuid4().hex[:6]}"
    group = GroupConsumer(connection, _group(settings, names))
    publisher = _publisher(settings, connection, group, names)
    engine = Engine(settings.engine())
    encoder = Encoder(settings.kafka.group, worker_id)
    telemetry = Telemetry(metrics, settings.confidence)
    trainer = Trainer(_trainer(settings), engine.training_set, on_end=group.wake)
    pins = partial(pin_of, settings.inputs)
    checkpoints = _checkpoints(settings)
    store = ModelStore(settings.store.url)
    claims = Claims(Objects(settings.store.url), settings.kafka.group)

    def tell(kind: str, data: dict[str, Any], series: SeriesKey | None, about: str) -> None:
        publisher.publish_soon([encoder.own(kind, data, series=series, about=about)])

    restorer = Restorer(
        _restore(settings),
        connection,
        names[MODEL_EVENTS],
        publisher,
        store,
        SavedStates(checkpoints, fingerprint(engine.config)),
        claims,
        pins,
        on_end=group.wake,
        tell=tell,
    )
    partitions: dict[TopicPartition, Partition] = {}
    inbox = Inbox(connection, names, REMEMBERED * settings.control.command_ttl, on_news=group.wake)
    checkpointer = Checkpointer(
        store=checkpoints,
        interval_s=settings.store.checkpoint_interval,
        engine=engine,
        publisher=publisher,
        telemetry=telemetry,
        partitions=partitions,
        events_read=lambda: inbox.events,
    )
    roles = Roles(
        inbox=inbox,
        group=group,
        engine=engine,
        partitions=partitions,
        control=names.control,
    )
    outbox = Outbox(encoder=encoder, publisher=publisher, telemetry=telemetry)
    commands = _commands(settings, roles, outbox, trainer, checkpointer, claims, worker_id)
    claiming = Claiming(claims, partitions, tell=tell, on_answer=group.wake)
    info = {"group": settings.kafka.group, "instance": worker_id, "assignor": ASSIGNOR}
    metrics.consumer.info.info(info)
    return Worker(
        group=group,
        publisher=publisher,
        engine=engine,
        restorer=restorer,
        trainer=trainer,
        arrivals=Arrivals(
            engine=engine,
            publisher=publisher,
            encoder=encoder,
            telemetry=telemetry,
            partitions=partitions,
            discard=lambda path: outbox.beside(abandonable(partial(store.delete, path)), f"delete {path}"),
        ),
        lookout=Lookout(
            group=group,
            engine=engine,
            trainer=trainer,
            publisher=publisher,
            encoder=encoder,
            telemetry=telemetry,
            progress=progress,
            staleness=Staleness(settings.gaps.stale_after),
            partitions=partitions,
            queues={
                "records": lambda: sum(partition.queued for partition in partitions.values()),
                "restorations": lambda: restorer.waiting,
                "claims": lambda: claiming.waiting,
                "commands": lambda: commands.waiting,
                "checkpoints": lambda: checkpointer.writing,
                "loose": lambda: publisher.loose,
            },
        ),
        checkpointer=checkpointer,
        commands=commands,
        claiming=claiming,
        encoder=encoder,
        dead_letters=DeadLetters(settings.kafka.group, worker_id, settings.dlq.max_bytes),
        telemetry=telemetry,
        progress=progress,
        partitions=partitions,
        pin_of=pins,
        control=names.control,
        most_series=settings.worker.series_per_partition,
        close_grace_ms=round(settings.closing.close_grace * 1000),
        barrier=settings.training.install == "barrier",
        stop_seconds=settings.worker.shutdown_timeout * _FOR_THE_LOOP,
    )


def _commands(
    settings: Settings,
    roles: Roles,
    outbox: Outbox,
    trainer: Trainer,
    checkpointer: Checkpointer,
    claims: Claims,
    worker_id: str,
) -> Commands:
    control, engine = settings.control, roles.engine
    catalog = Catalog(ModelStore(settings.store.url))
    steering = Steering(engine=engine, trainer=trainer, roles=roles, outbox=outbox)
    return Commands(
        inbox=roles.inbox,
        desk=Desk(round(control.command_ttl * 1000)),
        directory=Directory(
            claims,
            own=lambda: (series.key for series in engine.all_series()),
            defaults=Defaults(control.default_exchange, control.default_interval),
            on_news=roles.group.wake,
        ),
        roles=roles,
        outbox=outbox,
        answers=Answers(engine=engine, trainer=trainer, roles=roles, worker_id=worker_id),
        steering=steering,
        deletions=Deletions(
            engine=engine,
            catalog=catalog,
            checkpointer=checkpointer,
            roles=roles,
            steering=steering,
            outbox=outbox,
            grace_s=control.grace,
        ),
        trials=Trials(engine=engine, roles=roles, steering=steering, outbox=outbox, grace_s=control.grace),
        take_over=TakeOver(claims=claims, roles=roles, outbox=outbox),
        catalog=catalog,
        grace_s=control.grace,
    )


def _publisher(
    settings: Settings, connection: KafkaConnection, group: GroupConsumer, names: TopicNames
) -> Publisher:
    interval_s = settings.commit_interval
    if settings.delivery == "at_least_once":
        return AtLeastOnce(connection, group, names.produced, commit_interval_s=interval_s)
    return ExactlyOnce(
        connection,
        group,
        names.produced,
        settings.kafka.group,
        transaction_timeout_s=settings.kafka.session_timeout,
        most_partitions=settings.max_transactional_partitions,
        commit_interval_s=interval_s,
    )


def _group(settings: Settings, names: TopicNames) -> GroupConfig:
    kafka = settings.kafka
    topics = [each.topic for each in settings.inputs if each.topic is not None]
    patterns = [each.pattern for each in settings.inputs if each.pattern is not None]
    return GroupConfig(
        group_id=kafka.group,
        pattern=subscription(names, topics, patterns),
        instance_id=settings.worker.instance,
        session_timeout_s=kafka.session_timeout,
        heartbeat_s=kafka.heartbeat_interval,
        rebalance_timeout_s=kafka.rebalance_timeout,
        topics=frozenset(topics),
    )


def _checkpoints(settings: Settings) -> CheckpointStore | None:
    store = settings.store
    if not store.checkpoint_interval:
        return None
    return CheckpointStore(Objects(store.url), settings.kafka.group, keep=store.keep_checkpoints)


def _trainer(settings: Settings) -> TrainerConfig:
    training = settings.training
    return TrainerConfig(
        store_url=settings.store.url,
        processes=training.processes,
        timeout_s=training.timeout,
        nice=training.nice,
        keep_models=settings.store.keep_models,
        recycle_after=training.recycle_after,
        log_format=settings.log.format,
    )


def _restore(settings: Settings) -> RestoreConfig:
    return RestoreConfig(
        start_at=settings.start_at,
        rewind_candles=settings.history.rewind_candles,
        rewind_max_records=settings.history.rewind_max_records,
        features=settings.features,
    )
