"""How the page looks: one style sheet, in the page itself; its hash is the only style the browser will accept."""

from __future__ import annotations

import base64
import hashlib

LIGHT = {
    "ground": "#f5f5f2",
    "card": "#ffffff",
    "ink": "#1b1f24",
    "dim": "#5a6270",
    "line": "#dfe0da",
    "accent": "#1f5f99",
    "on-accent": "#ffffff",
    "ok": "#1c7044",
    "warn": "#8a5200",
    "bad": "#b3261e",
    "info": "#1f5f99",
    "bar": "#3b7fbd",
    "bar2": "#ad7d1c",
}
DARK = {
    "ground": "#101316",
    "card": "#191d21",
    "ink": "#e9ecef",
    "dim": "#a3acb8",
    "line": "#2d333a",
    "accent": "#86b9ea",
    "on-accent": "#0c1a27",
    "ok": "#68cd94",
    "warn": "#f2b45a",
    "bad": "#ff8f86",
    "info": "#86b9ea",
    "bar": "#5b9ad6",
    "bar2": "#c9a044",
}


def _variables(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{colour};" for name, colour in colours.items())


_RULES = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans",sans-serif}
.page{max-width:1120px;margin:0 auto;padding:20px 20px 48px}
a{color:var(--accent);text-underline-offset:2px}
a:focus-visible,button:focus-visible,input:focus-visible,summary:focus-visible,.scroll:focus-visible{
outline:2px solid var(--accent);outline-offset:2px;border-radius:4px}
.skip{position:absolute;left:-999px}.skip:focus{left:12px;top:8px;background:var(--card);padding:6px 10px}
header{display:flex;flex-wrap:wrap;gap:4px 16px;align-items:center;justify-content:space-between;margin-bottom:18px}
header .brand{font-weight:650;font-size:17px;letter-spacing:-.01em;color:var(--ink);text-decoration:none}
header nav{display:flex;flex-wrap:wrap;gap:4px 16px;align-items:center;font-size:14px}
header nav form{margin:0}
h1{font-size:26px;line-height:1.25;letter-spacing:-.02em;font-weight:650;margin:0 0 4px}
.hero{margin-bottom:20px}
.hero p{margin:0;color:var(--dim)}
.tiles{display:grid;grid-template-columns:repeat(5,minmax(0,1fr));gap:12px;list-style:none;margin:14px 0 0;padding:0}
.tiles a{display:block;height:100%;background:var(--card);border:1px solid var(--line);border-radius:10px;
padding:11px 14px;color:var(--ink);text-decoration:none}
.tiles a:hover{border-color:var(--accent)}
.tiles b{display:block;font-size:22px;line-height:1.25;font-weight:650;letter-spacing:-.02em;
font-variant-numeric:tabular-nums}
.tiles b.ok{color:var(--ok)}.tiles b.warn{color:var(--warn)}.tiles b.bad{color:var(--bad)}
.tiles span{display:block;font-size:13px;line-height:1.4;color:var(--dim)}
h2{font-size:16px;font-weight:650;letter-spacing:-.01em;margin:0}
h3{font-size:14px;font-weight:650;margin:18px 0 6px}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px 18px;margin-bottom:16px}
.head{display:flex;flex-wrap:wrap;gap:2px 12px;align-items:baseline;justify-content:space-between;margin-bottom:10px}
.note{margin:0;color:var(--dim);font-size:13.5px}
.empty{margin:2px 0;color:var(--dim)}
.dim{color:var(--dim)}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:16px}
.pair>section{min-width:0}
table{width:100%;border-collapse:collapse;font-size:14px}
th{font-weight:550;color:var(--dim);font-size:12.5px;text-align:left;padding:4px 10px 6px 0;
border-bottom:1px solid var(--line);white-space:nowrap}
td{padding:7px 10px 7px 0;border-bottom:1px solid var(--line);vertical-align:top}
td.text{overflow-wrap:anywhere;min-width:9em}time,.keep,td.number,td>span>a{white-space:nowrap}
tr:last-child>td{border-bottom:0}
th:last-child,td:last-child{padding-right:0}
.number{text-align:right;font-variant-numeric:tabular-nums}
td small{display:block;color:var(--dim);font-size:13px}
.badge{font-weight:600;white-space:nowrap}
.badge.ok{color:var(--ok)}.badge.warn{color:var(--warn)}.badge.bad{color:var(--bad)}
.badge.info{color:var(--info)}.badge.dim{color:var(--dim)}
.badge>span{display:inline-block;width:1.1em;text-align:center}
.scroll{overflow-x:auto}
.scroll[tabindex] table{min-width:max-content}.scroll[tabindex] td.text{max-width:20em;min-width:14em}
.alert{border-left:4px solid var(--bad)}
.alert ul{margin:0;padding-left:18px}
.done{border-left:4px solid var(--ok)}
.refused{border-left:4px solid var(--warn)}
button{font:inherit;font-size:14px;font-weight:550;color:var(--on-accent);background:var(--accent);
border:1px solid var(--accent);border-radius:7px;padding:6px 14px;cursor:pointer}
button.plain{color:var(--accent);background:transparent}
td form{margin:0}td button{padding:3px 10px;font-size:13.5px}
header button{padding:2px 10px}
input{font:inherit;color:var(--ink);background:var(--ground);border:1px solid var(--dim);border-radius:7px;
padding:7px 10px;min-width:0}
.ask{display:flex;gap:8px;flex-wrap:wrap;align-items:end}
.note+.ask,.note+p{margin-top:12px}
.ask label{flex:1 1 240px;max-width:560px;display:flex;flex-direction:column;gap:4px;font-size:13.5px;color:var(--dim)}
.choices{list-style:none;margin:0;padding:0}
.choices li{display:flex;flex-wrap:wrap;gap:6px 14px;align-items:center;padding:7px 0;border-top:1px solid var(--line)}
.choices li:first-child{border-top:0}
.choices button{min-width:150px;text-align:left}
.chart{margin:0}
.plot{position:relative;border-bottom:1px solid var(--line)}
.plot svg{display:block;width:100%;height:150px}
.axis{display:flex;justify-content:space-between;color:var(--dim);font-size:12px;margin-top:4px}
.top{color:var(--dim);font-size:12px;margin-bottom:2px}
.legend{display:flex;flex-wrap:wrap;gap:2px 16px;margin:8px 0 0;padding:0;list-style:none;font-size:13px;
color:var(--dim)}
.legend svg{width:12px;height:12px;margin-right:6px;vertical-align:-1px}
.bar{fill:var(--bar)}.bar2{fill:var(--bar2)}.over{fill:var(--bad)}.slow{stroke:var(--ink);stroke-width:2;
vector-effect:non-scaling-stroke}.zero{stroke:var(--dim);stroke-width:1;vector-effect:non-scaling-stroke}
.promise{stroke:var(--dim);stroke-width:1.5;stroke-dasharray:5 4;vector-effect:non-scaling-stroke}
details{margin-top:10px}summary{cursor:pointer;color:var(--accent);font-size:13.5px;width:fit-content}
details .scroll{max-height:320px;overflow-y:auto;margin-top:6px}
section>.scroll+*,section>dl+*{margin-top:12px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 16px;margin:0}
dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
ol.story{margin:0;padding:0;list-style:none}
ol.story li{display:grid;grid-template-columns:150px 1fr;gap:0 14px;padding:5px 0;border-top:1px solid var(--line);
overflow-wrap:anywhere}
ol.story li:first-child{border-top:0}
ol.story time{color:var(--dim);font-variant-numeric:tabular-nums;font-size:13.5px}
code{font:13px/1.4 ui-monospace,"SF Mono",Menlo,Consolas,monospace;overflow-wrap:anywhere}
footer{color:var(--dim);font-size:13px;margin-top:20px}
footer p{margin:2px 0}
@media (max-width:720px){
.page{padding:14px 12px 36px}
h1{font-size:22px}
section{padding:14px}
.pair{grid-template-columns:minmax(0,1fr);gap:0}.tiles{grid-template-columns:repeat(2,minmax(0,1fr));gap:8px}
.tiles li:nth-child(5){grid-column:1/-1}
table.cards thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
table.cards,table.cards tbody{display:block}
table.cards tr{display:flex;flex-wrap:wrap;align-items:baseline;gap:1px 14px;padding:10px 0;
border-bottom:1px solid var(--line)}
table.cards tr:last-child{border-bottom:0;padding-bottom:0}
table.cards tr:first-child{padding-top:0}
table.cards td{display:block;border:0;padding:0;max-width:100%}
table.cards td.text{flex:0 1 auto;min-width:0}
table.cards td:first-child{font-weight:650}
table.cards td:not(:first-child):not(.text):not([data-label=""])::before{content:attr(data-label) " ";
color:var(--dim);font-size:13px}
table.cards td small{display:inline}
table.cards td.text small{display:block}
ol.story li{grid-template-columns:1fr}
dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}
button{padding:9px 16px}td button{padding:7px 14px}
}
@media (prefers-reduced-motion:no-preference){a,button{transition:opacity .12s}button:hover{opacity:.88}}
@media print{header nav,.ask,form{display:none}section{break-inside:avoid}}
"""

STYLE = (
    f":root{{color-scheme:light dark;{_variables(LIGHT)}}}"
    f"@media (prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}" + _RULES.replace("\n", "")
)
POLICY = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy: no script, nothing from anywhere, and this style alone."""
