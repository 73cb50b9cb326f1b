/** What the chart shows, as numbers: which candles, which fan, which ghost, from when to when. */

/** @typedef {import("./types.js").Candle} Candle */
/** @typedef {import("./types.js").Detail} Detail */
/** @typedef {import("./types.js").Fan} Fan */
/** @typedef {import("./types.js").Path} Path */
/**
 * @typedef {{candles: Candle[], pending: Candle | null, fan: Band | null, ghost: Band | null,
 *   ago: string, from: number, to: number, low: number, high: number, ends: {name: string, at: number}[]}} Scene
 *   Of ago: the horizon whose end the ghost has reached.
 * @typedef {{times: number[], mid: number[], bands: [number[], number[]][]}} Band
 */

/** Horizons up to so many candles are shown until somebody chooses others: longer ones squeeze the candles. */
const NEAR = 48;

/** @param {Detail} detail */
export function usual(detail) {
  const near = detail.horizons.filter((each) => each.steps <= NEAR);
  return new Set((near.length ? near : detail.horizons.slice(0, 1)).map((each) => each.name));
}

/**
 * The scene of one series.
 * @param {Detail} detail
 * @param {Candle[]} candles All that are known, the newest last.
 * @param {Fan | null} past The fan of an old candle that was chosen.
 * @param {Set<string>} horizons Those that are shown.
 * @param {number} width Of the chart, in pixels.
 * @returns {Scene}
 */
export function scene(detail, candles, past, horizons, width) {
  const step = detail.stepMs;
  const names = detail.horizons.filter((each) => horizons.has(each.name));
  const longest = names.at(-1);
  const ahead = longest ? longest.steps : 0;
  const slots = Math.floor(width / (width < 500 ? 4.6 : 9));
  const shown = Math.max(ahead + Math.max(24, Math.ceil(0.7 * ahead)), slots);
  const last = candles.length ? candles[candles.length - 1][0] + step - 1 : detail.asOf;
  const to = past ? past.asOf + Math.round(0.62 * shown) * step : last + (ahead + 2) * step;
  const from = to - (shown + 1) * step;
  const fan = past ?? detail.fan;
  const drawn = fan ? joined(names.map((each) => fan.paths[each.name]).filter(Boolean)) : null;
  const shadow = longest && !past ? detail.ghosts[longest.name] : undefined;
  const ghost = shadow ? joined([shadow]) : null;
  const visible = candles.filter((candle) => candle[0] >= from && candle[0] + step <= to);
  const pending = past ? null : detail.pending;
  const highs = visible.map((candle) => candle[2]);
  const lows = visible.map((candle) => candle[3]);
  if (pending) highs.push(pending[2]), lows.push(pending[3]);
  for (const band of [drawn, ghost]) {
    if (!band) continue;
    const outer = band.bands[band.bands.length - 1];
    lows.push(...outer[0].filter((_, at) => band.times[at] >= from));
    highs.push(...outer[1].filter((_, at) => band.times[at] >= from));
  }
  const [low, high] = [Math.min(...lows), Math.max(...highs)];
  const room = 0.06 * (high - low || high);
  const ends = fan ? names.flatMap(({ name }) => (fan.paths[name] ? [{ name, at: fan.paths[name].times.slice(-1)[0] }] : [])) : [];
  return { candles: visible, pending, fan: drawn, ghost, ago: longest?.name ?? "", from, to, low: low - room, high: high + room, ends };
}

/**
 * Prices for the axis, but for those that a tag would cover.
 * @param {number} low
 * @param {number} high
 * @param {number[]} tags
 * @param {number} height Of the axis, in pixels.
 */
export function ticks(low, high, tags, height) {
  const wanted = (high - low) / Math.max(2, height / 70);
  const power = 10 ** Math.floor(Math.log10(wanted));
  const step = power * ([1, 2, 5].find((times) => times * power >= wanted) ?? 10);
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high; at++) {
    const apart = tags.map((tag) => (Math.abs(at * step - tag) / (high - low)) * height);
    if (Math.min(...apart) > 18) found.push(at * step);
  }
  return found;
}

/**
 * One fan of several paths: up to each horizon its own prediction is drawn, the shortest first.
 * @param {Path[]} paths
 * @returns {Band | null}
 */
export function joined(paths) {
  if (!paths.length) return null;
  /** @type {Band} */
  const band = { times: [], mid: [], bands: paths[0].bands.map(() => [[], []]) };
  let until = -Infinity;
  for (const path of paths) {
    path.times.forEach((time, at) => {
      if (time <= until) return;
      band.times.push(time);
      band.mid.push(path.mid[at]);
      path.bands.forEach(([lower, upper], number) => {
        band.bands[number][0].push(lower[at]);
        band.bands[number][1].push(upper[at]);
      });
    });
    until = path.times[path.times.length - 1];
  }
  return band;
}
