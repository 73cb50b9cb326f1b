"""How the report looks: light and dark, on a phone and on paper."""

from typing import Final

STYLE: Final = """
:root {
  color-scheme: light dark;
  --paper: #fff; --panel: #f6f7f9; --ink: #16191f; --soft: #555d6b; --line: #d9dde4; --grid: #e6e9ee;
  --subject: #2456c9; --other: #8a4b00; --band: #2456c922; --fill: #2456c9aa;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #0f1217; --panel: #171b22; --ink: #e8ebf0; --soft: #a3acbb; --line: #2c323d; --grid: #262c36;
    --subject: #8ab0ff; --other: #f0b35c; --band: #8ab0ff26; --fill: #8ab0ff99;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 78rem; padding: 1.5rem 1rem 3rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums;
}
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .3rem; }
section > h2:first-child { margin-top: 0; }
p, li { max-width: 56rem; margin: .35rem 0; }
ul { padding-left: 1.2rem; margin: .4rem 0; }
.soft, figcaption, caption { color: var(--soft); }
.verdict {
  background: var(--panel); border: 1px solid var(--line); border-radius: 8px;
  padding: .9rem 1.1rem; margin: 1rem 0;
}
.verdict h2 { margin: 1.1rem 0 .2rem; }
.plots {
  display: grid; gap: .8rem 1.2rem; margin: .8rem 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 15.5rem), 1fr));
}
figure { margin: 0; max-width: 27rem; break-inside: avoid; }
figure h3 { font-size: .95rem; margin: 0; }
figcaption { font-size: .83rem; line-height: 1.4; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font-size: 12px; fill: var(--soft); }
svg.sign { display: inline-block; width: .8em; height: .8em; vertical-align: -.05em; margin: 0 .3em 0 .9em; }
.legend span { white-space: nowrap; }
.legend svg { margin-left: 0; }
.legend span + span { margin-left: 1.2em; }
path { fill: none; stroke: none; }
.grid { stroke: var(--grid); }
.zero { stroke: var(--ink); stroke-width: 1.2; }
.nominal { stroke: var(--ink); stroke-width: 1.2; stroke-dasharray: 5 3; }
.band { fill: var(--band); }
.bar { stroke-width: 2; }
.bar.subject { stroke: var(--subject); }
.bar.other { stroke: var(--other); stroke-width: 1.4; }
.mark.subject { fill: var(--subject); stroke: var(--paper); stroke-width: .8; }
.mark.other { fill: var(--paper); stroke: var(--other); stroke-width: 1.4; }
.fill { fill: var(--fill); }
.whisker { stroke: var(--ink); opacity: .55; }
.thin { stroke: var(--soft); opacity: .75; }
.thick { stroke: var(--subject); stroke-width: 2.4; }
.wide { overflow-x: auto; margin: .6rem 0; }
table { border-collapse: collapse; font-size: .87rem; }
caption { text-align: left; padding: .2rem 0; }
th, td { padding: .18rem .6rem; text-align: right; white-space: nowrap; }
th, td { border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
th.word, td.word { text-align: left; }
tbody tr:hover { background: var(--panel); }
summary { cursor: pointer; margin: .4rem 0; }
:focus-visible { outline: 2px solid var(--subject); outline-offset: 2px; }
@media print {
  :root { --paper: #fff; --panel: #fff; --ink: #000; --soft: #444; --subject: #2456c9; --other: #8a4b00; }
  html { font-size: 10px; }
  body { font-size: 9.5px; max-width: none; padding: 0; }
  .plots { grid-template-columns: repeat(4, 1fr); gap: .5rem .8rem; }
  .wide { overflow: visible; }
  table { font-size: 7.5px; }
  th, td { padding: 1px 3px; }
  details::details-content { content-visibility: visible; display: block; }
  h2 { break-after: avoid; }
  tr { break-inside: avoid; }
}
"""
