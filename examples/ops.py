"""What an operator does in the morning: look at the models, retrain the oldest, delete what is out of use.

python examples/ops.py --kafka localhost:9092 --max-age-days 30
"""

import argparse
import asyncio
from datetime import UTC, datetime

from stream_lstm.client import CommandFailed, ModelAdmin


async def tidy_up(admin: ModelAdmin, max_age_days: float) -> None:
    """List, retrain the oldest, clean up."""
    models = (await admin.list_models()).models
    for model in models:
        trained = datetime.fromtimestamp(model.trained_at / 1000, UTC)
        print(
            f"{model.exchange} {model.symbol} {model.interval}: {model.model_type}, up to {trained:%F %H:%M}"
        )
    if models:
        oldest = models[-1]  # the last trained is the first
        try:
            told = await admin.retrain(oldest.symbol, exchange=oldest.exchange, interval=oldest.interval)
            print(f"retraining {oldest.symbol}, {told.place} before it")
        except CommandFailed as failed:
            print(f"{oldest.symbol} cannot be retrained: {failed.message}")
    gone = await admin.cleanup_models(max_age_days)
    print(f"{gone.message}: {', '.join(each.symbol for each in gone.deleted) or 'none'}")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kafka", default="localhost:9092")
    parser.add_argument("--prefix", default="")
    parser.add_argument("--max-age-days", type=float, default=30.0)
    args = parser.parse_args()
    async with ModelAdmin(args.kafka, prefix=args.prefix) as admin:
        await tidy_up(admin, args.max_age_days)


if __name__ == "__main__":
    asyncio.run(main())
