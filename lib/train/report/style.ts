/**
 * Style sheet of the report. All colours are variables with a light and a dark value; those of the optimizers are from
 * the palette of Okabe and Ito, lightened for dark pages, and keep a contrast of at least 4.5 to 1 with the page.
 */
export const styleSheet = `
:root {
  color-scheme: light dark;
  --page: #ffffff; --card: #f6f7f9; --ink: #16191f; --muted: #59606d; --axis: #a3a9b4; --grid: #e4e7ec;
  --adamw: #5b6270; --muon: #00609c; --shampoo: #b34700;
  --gradient: #b9c0cc; --statistics: #4f9fd0; --refresh: #d9772b; --apply: #2b8a68;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171c; --card: #1d2128; --ink: #eceef2; --muted: #a4abb8; --axis: #5b6370; --grid: #2c323c;
    --adamw: #b4bbc8; --muon: #62b5f0; --shampoo: #ff9a52;
    --gradient: #667080; --statistics: #62b5f0; --refresh: #f0934a; --apply: #4fc29a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
.kicker { margin: 0; color: var(--muted); font-size: .9rem; }
h1 { font-size: clamp(1.4rem, 3.4vw, 2rem); line-height: 1.25; margin: .35rem 0 1rem; text-wrap: balance; }
h2 { font-size: 1.1rem; margin: 2.6rem 0 .6rem; }
p { margin: .5rem 0; max-width: 46rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { padding: .5rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--grid); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
thead th { color: var(--muted); font-weight: 500; font-size: .84rem; vertical-align: bottom; }
tbody th { font-weight: 600; }
.swatch { display: inline-block; width: .75em; height: .75em; border-radius: 2px; margin-right: .45em; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: 0 0 .3rem; padding: 0; list-style: none; font-size: .9rem; }
figure { margin: 0; }
figure svg { display: block; width: 100%; height: auto; font-family: inherit; }
figcaption { color: var(--muted); font-size: .88rem; max-width: 46rem; }
.narrow { display: none; }
@media (max-width: 640px) { .wide { display: none; } .narrow { display: block; } main { padding-top: 1.5rem; } }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .35rem 1.2rem; margin: 0; font-size: .92rem; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
code { font: .92em ui-monospace, "SF Mono", Menlo, Consolas, monospace; background: var(--card); padding: .1em .35em; border-radius: 3px; }
`
