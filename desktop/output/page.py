"""The fixed parts of the report page: its style and its script. Both are pinned by hash in the page's CSP."""

from __future__ import annotations

import base64
import hashlib

STYLE = """
:root{color-scheme:light dark;--bg:#f6f5f2;--card:#fffefb;--ink:#22282d;--soft:#5a636b;--line:#dad7cf;
--chip:#eceae4;--declared:#3f4a7c;--likely:#41627f;--on:#fffefb;--focus:#2f5fa8}
@media (prefers-color-scheme:dark){:root{--bg:#191c1f;--card:#212529;--ink:#e6e4de;--soft:#a7aeb4;--line:#3a4046;
--chip:#2d3338;--declared:#b3bceb;--likely:#a8c7e2;--on:#191c1f;--focus:#8fb7f0}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main,header,footer{max-width:76rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:1.75rem}h1{font-size:1.5rem;font-weight:600;margin:0 0 .25rem}
h2{font-size:1.05rem;font-weight:600;margin:1.5rem 0 .5rem}h3{font-size:.95rem;font-weight:600;margin:.9rem 0 .25rem}
p{margin:.35rem 0;max-width:46rem}ul{margin:.3rem 0;padding-left:1.2rem}li{margin:.2rem 0;max-width:46rem}
.soft,small{color:var(--soft)}
:focus-visible{outline:3px solid var(--focus);outline-offset:2px;border-radius:4px}
.counts{display:flex;flex-wrap:wrap;gap:.5rem;border:0;margin:1rem 0 0;padding:0}
.counts legend{float:left;margin-right:.5rem;padding:.3rem 0;color:var(--soft)}
.counts label{background:var(--chip);border-radius:1rem;padding:.3rem .8rem;cursor:pointer}
.counts input{margin:0 .4rem 0 0;accent-color:var(--likely)}
.sorts{display:none}
table{width:100%;border-collapse:separate;border-spacing:0;table-layout:fixed;background:var(--card);
border:1px solid var(--line);border-radius:10px;margin-top:.75rem}
th,td{padding:.6rem .7rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}
thead th{font-weight:600;border-bottom:1px solid var(--line);font-size:.9rem}
tbody td,tbody th{border-top:1px solid var(--line);font-weight:400}tbody tr:first-child>*{border-top:0}
.c-pic{width:6.2rem}.c-verdict{width:13rem}.c-chance{width:9.6rem}.c-intimacy{width:7.8rem}.c-format{width:6.6rem}
thead button{font:inherit;color:inherit;background:none;border:0;padding:0;cursor:pointer;text-align:left}
thead button::after{content:"\\2195";color:var(--soft);margin-left:.35rem;font-weight:400}
th[aria-sort=ascending] button::after{content:"\\2191";color:inherit}
th[aria-sort=descending] button::after{content:"\\2193";color:inherit}
html:not(.js) thead button{pointer-events:none}
html:not(.js) thead button::after,html:not(.js) .counts input{display:none}
td img{display:block;max-width:4.8rem;max-height:4.8rem;filter:grayscale(1);border-radius:6px}
.nopic{display:block;width:4.8rem;height:3.2rem;border-radius:6px;background:var(--chip)}
.chip{display:inline-block;padding:.1rem .65rem;border-radius:1rem;background:var(--chip)}
.v-declared_synthetic .chip,.v-matched_source .chip{background:var(--declared);color:var(--on)}
.v-likely_synthetic .chip{background:var(--likely);color:var(--on)}
.v-no_signs .chip{background:none;box-shadow:inset 0 0 0 1px var(--line)}
.v-not_checked .chip{background:none;border:1px dashed var(--soft);color:var(--soft)}
.name{font-weight:500}
details{margin-top:.3rem}summary{cursor:pointer;color:var(--soft);width:fit-content}
details[open]>summary{margin-bottom:.2rem}
dl{margin:.3rem 0;display:grid;grid-template-columns:minmax(7rem,11rem) 1fr;gap:.3rem .9rem}
dt{color:var(--soft)}dd{margin:0;max-width:42rem}code{font:.85em/1.5 ui-monospace,Consolas,monospace}
.state{color:var(--soft);font-size:.85em}
footer{margin-top:1.5rem;padding-bottom:3rem;font-size:.93rem}
.hide-declared_synthetic .v-declared_synthetic,.hide-matched_source .v-matched_source,
.hide-likely_synthetic .v-likely_synthetic,.hide-inconclusive .v-inconclusive,.hide-no_signs .v-no_signs,
.hide-not_checked .v-not_checked{display:none}
@media screen and (min-width:1000px){.why[open]>div{margin-left:-37rem;padding:.3rem 0 .6rem}}
@media (max-width:760px){main,header,footer{padding-left:.9rem;padding-right:.9rem}
table,tbody,td,tbody th{display:block}thead{display:block;padding:.5rem .7rem;border-bottom:1px solid var(--line)}
thead tr{display:flex;flex-wrap:wrap;gap:.1rem .9rem}thead th[class]{display:block;width:auto;padding:.25rem 0;border:0}
thead th[class].c-pic{display:none}
tbody tr{display:grid;grid-template-columns:5.2rem 1fr;gap:.15rem .7rem;padding:.8rem .7rem;
border-top:1px solid var(--line)}
tbody tr:first-child{border-top:0}tbody td,tbody th{padding:0;border:0}
tbody td.pic{grid-row:1/span 5}tbody td[data-label]::before{content:attr(data-label) ": ";color:var(--soft)}
tbody th{grid-column:1/-1;padding-top:.3rem}
dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.4rem}}
@media print{body{background:#fff;color:#000;font-size:10pt}.counts input,thead button::after{display:none}
table{border:1px solid #999}tr{break-inside:avoid}.chip{border:1px solid #666;background:none!important;
color:#000!important}summary{list-style:none}main,header,footer{max-width:none}}
""".strip()

SCRIPT = """
(()=>{const root=document.documentElement,table=document.querySelector("table"),body=table.tBodies[0],
note=document.getElementById("shown"),total=body.rows.length;root.classList.add("js");
const text=new Intl.Collator(undefined,{numeric:true,sensitivity:"base"});
const count=()=>{let n=0;for(const box of boxes)if(box.checked)n+=Number(box.dataset.n);
note.textContent=n===total?"":`Showing ${n.toLocaleString()} of ${total.toLocaleString()} files.`};
const boxes=[...document.querySelectorAll(".counts input")];
for(const box of boxes){box.addEventListener("change",()=>{table.classList.toggle("hide-"+box.value,!box.checked);
count()})}
const value={verdict:r=>Number(r.dataset.v),chance:r=>r.dataset.p===""?null:Number(r.dataset.p),
intimacy:r=>Number(r.dataset.i),format:r=>r.cells[4].textContent,file:r=>r.cells[5].querySelector(".name").textContent};
const order=(a,b)=>typeof a==="string"?text.compare(a,b):a-b;
for(const button of document.querySelectorAll("thead button")){button.addEventListener("click",()=>{
const key=button.dataset.key,get=value[key],head=button.closest("th"),now=head.getAttribute("aria-sort"),
down=now?now==="ascending":key==="chance";
for(const th of table.tHead.rows[0].cells)th.removeAttribute("aria-sort");
head.setAttribute("aria-sort",down?"descending":"ascending");
const keyed=[...body.rows].map(r=>[get(r),Number(r.dataset.n),r]);
keyed.sort((a,b)=>{if(a[0]===null||b[0]===null)return(a[0]===null)-(b[0]===null)||a[1]-b[1];
return(down?-1:1)*order(a[0],b[0])||a[1]-b[1]});
const all=document.createDocumentFragment();for(const k of keyed)all.append(k[2]);body.append(all)})}
const fill=d=>{const kept=d.lastChild;if(kept.nodeType===Node.COMMENT_NODE){
const made=document.createElement("template");made.innerHTML=kept.data;kept.replaceWith(made.content)}};
body.addEventListener("click",e=>{const d=e.target.closest("summary")?.parentNode;if(d?.matches(".why"))fill(d)});
let opened=[];addEventListener("beforeprint",()=>{opened=[...body.querySelectorAll("details.why:not([open])")]
.filter(d=>d.closest("tr").offsetParent!==null).slice(0,200);for(const d of opened){fill(d);d.open=true}});
addEventListener("afterprint",()=>{for(const d of opened)d.open=false})})();
""".strip()


def _pin(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def head(title: str) -> str:
    """The page up to its first visible element. Nothing is fetched, and no other script or style can run."""
    policy = (
        f"default-src 'none'; img-src data:; style-src {_pin(STYLE)}; script-src {_pin(SCRIPT)}; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en-GB" data-counterproof-report="1">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="robots" content="noindex">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n"
    )


MARK = b'<!doctype html>\n<html lang="en-GB" data-counterproof-report='


def script() -> str:
    """The page's only script, exactly as its hash in the policy expects it."""
    return f"<script>{SCRIPT}</script>\n"
