"""A paper-trading bot that always moves about as much: it holds little when the market is wild.

    python examples/paper_trading.py BTCUSDT --kafka localhost:9092 --horizon 1h --target 0.005

There is no edge in the price and the bot claims none. It is long one symbol, by `target / targetPct` and
never more than `most` times its equity, and adjusts that at every candle. If `targetPct` is honest, the
realised volatility of its equity is the target. The horizon must be one candle long.
"""

import argparse
import asyncio
import math

from stream_lstm.client import Prediction, PredictionStream


async def trade(stream: PredictionStream, target: float, most: float, candles: int) -> list[float]:
    """Log returns of the equity, one per candle."""
    returns: list[float] = []
    position, before = 0.0, None
    async for prediction in stream:
        if before is not None and is_next(prediction, before):
            returns.append(position * math.log(prediction.last_close / before.last_close))
        position, before = min(target / prediction.target_pct, most), prediction
        if len(returns) % 250 == 1:
            print(f"{len(returns):6} candles, equity {math.exp(sum(returns)):.3f}, position {position:.2f}")
        if len(returns) == candles:
            break
    return returns


def is_next(prediction: Prediction, before: Prediction) -> bool:
    """Whether it is for the candle that follows: after a gap there is no return to be counted."""
    return prediction.as_of == before.valid_until


def verdict(returns: list[float], target: float) -> str:
    """What the equity did, and how far chance alone takes such a figure."""
    variance = sum(each**2 for each in returns) / len(returns)
    kurtosis = sum(each**4 for each in returns) / len(returns) / variance**2
    realised, error = math.sqrt(variance), math.sqrt((kurtosis - 1) / (4 * len(returns)))
    return (
        f"target {target:.3%} a candle, realised {realised:.3%} over {len(returns)} candles: "
        f"ratio {realised / target:.3f}, standard error {error:.3f}"
    )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("symbol")
    parser.add_argument("--kafka", default="localhost:9092")
    parser.add_argument("--prefix", default="")
    parser.add_argument("--horizon", default="1h")
    parser.add_argument("--target", type=float, default=0.005, help="standard deviation of a candle's return")
    parser.add_argument("--most", type=float, default=5.0, help="largest position, in equities")
    parser.add_argument("--candles", type=int, default=1_000)
    args = parser.parse_args()
    chosen = {"symbols": [args.symbol], "horizons": [args.horizon]}
    async with PredictionStream(args.kafka, prefix=args.prefix, **chosen) as stream:
        print(f"listening for {args.symbol}", flush=True)
        returns = await trade(stream, args.target, args.most, args.candles)
    print(verdict(returns, args.target))


if __name__ == "__main__":
    asyncio.run(main())
