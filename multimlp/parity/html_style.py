"""The look of the report's page, light and dark, from phones to wide screens."""

STYLE = """
:root { color-scheme: light dark; --bg: #fff; --fg: #1c2024; --soft: #60646c; --line: #d9d9e0;
  --good: #18794e; --bad: #b4232a; --bad-bg: #ffe5e5; --card: #f4f4f7; }
@media (prefers-color-scheme: dark) {
  :root { --bg: #111113; --fg: #edeef0; --soft: #b0b4ba; --line: #363a3f;
    --good: #3dd68c; --bad: #ff9592; --bad-bg: #3b1219; --card: #1b1c1f; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1200px; padding: 1rem; background: var(--bg); color: var(--fg);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: .5rem 0; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
p, ul { max-width: 46rem; overflow-wrap: break-word; }
a { color: inherit; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; }
summary { cursor: pointer; }
.soft { color: var(--soft); }
.verdict { font-size: 1.2rem; font-weight: 600; }
.good { color: var(--good); }
.bad { color: var(--bad); }
.wide { overflow: auto; max-height: 85vh; border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: separate; border-spacing: 0; width: 100%; font-size: .9rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
tbody tr:last-child > * { border-bottom: 0; }
thead th { position: sticky; top: 0; background: var(--card); z-index: 1; }
tr > :first-child { position: sticky; left: 0; text-align: left; background: var(--bg); }
tbody th { font-weight: 400; }
thead th:first-child { background: var(--card); z-index: 2; }
tr.family > * { font-weight: 600; color: var(--soft); background: var(--card); }
td.bad { background: var(--bad-bg); font-weight: 600; }
td.other { font-weight: 600; background: var(--card); }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; margin: .5rem 0 1rem; }
.legend svg { display: inline-block; width: 36px; height: 10px; margin-right: .4rem; }
.pictures { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 325px), 1fr)); }
figure { margin: 0; padding: .5rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; }
figcaption { overflow-wrap: break-word; }
figcaption b { margin-right: .5rem; }
figure svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font: 14px system-ui, sans-serif; }
svg .axis { stroke: var(--line); }
@media (max-width: 600px) {
  body { padding: .7rem; }
  th, td { padding: .25rem .5rem; }
  table { font-size: .875rem; }
  tr > :first-child { white-space: normal; min-width: 7.5rem; max-width: 9.5rem; overflow-wrap: break-word; }
}
@media print { .wide { max-height: none; } }
"""
