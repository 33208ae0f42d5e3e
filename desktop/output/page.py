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
.find{margin:.8rem 0 0}.find input{font:inherit;padding:.25rem .6rem;border:1px solid var(--line);border-radius:6px;
background:var(--card);color:inherit;width:min(24rem,100%)}html:not(.js) .find{display:none}
#more{font:inherit;margin:1rem auto;display:block;padding:.4rem 1.4rem;border:1px solid var(--line);border-radius:8px;
background:var(--card);color:inherit;cursor:pointer}#more[hidden]{display:none}
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
.where svg{display:block;width:min(20rem,100%);height:auto;max-height:20rem;margin:.4rem 0}
.where ol{margin:.3rem 0;padding-left:1.6rem}.where ol:empty{display:none}
.where input:not(:checked)~svg .layer{display:none}.where .sheet{fill:var(--chip)}
.where .dark,.where .light{fill:none;stroke:#000;stroke-width:4;vector-effect:non-scaling-stroke}
.where .light{stroke:#fff;stroke-width:1.5}.where .tag{fill:#000}.where text{fill:#fff}
footer{margin-top:1.5rem;padding-bottom:3rem;font-size:.93rem}
@media screen and (min-width:1000px){.why[open]>div{margin-left:-37rem;padding:.3rem 0 .6rem}}
@media print,(max-width:760px){main,header,footer{padding-left:.9rem;padding-right:.9rem}
table,tbody,td,tbody th{display:block}thead{display:block;padding:.5rem .7rem;border-bottom:1px solid var(--line)}
thead tr{display:flex;flex-wrap:wrap;gap:.1rem .9rem}thead th[class]{display:block;width:auto;padding:.25rem 0;border:0}
thead th[class].c-pic{display:none}
tbody tr{display:grid;grid-template-columns:5.2rem 1fr;gap:.15rem .7rem;padding:.8rem .7rem;
border-top:1px solid var(--line)}
tbody tr:first-child{border-top:0}tbody td,tbody th{padding:0;border:0}
tbody td.pic{grid-row:1/span 5}tbody td[data-label]::before{content:attr(data-label) ": ";color:var(--soft)}
tbody th{grid-column:1/-1;padding-top:.3rem}
dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.4rem}}
@media print{body{background:#fff;color:#000;font-size:10pt}.counts input,thead,.find,#more{display:none}
main,header,footer{max-width:none;padding:0}table{border:0;background:none}tbody tr{padding:.5rem 0}
dt,dd,li,h3,td{break-inside:avoid}h3{break-after:avoid}
.chip{border:1px solid #666;background:none!important;color:#000!important}
details:not([open])>summary,.why>summary{display:none}
dl{grid-template-columns:11rem 1fr;gap:.15rem .9rem}.soft,small,summary,dt,.state{color:#444}}
""".strip()

# Drawn at once. A browser takes minutes and gigabytes over the million elements that 20,000 rows would make, so later
# rows lie in the page as comments until they are asked for.
DRAWN = 500

SCRIPT = """
(()=>{const root=document.documentElement,table=document.querySelector("table"),body=table.tBodies[0],
note=document.getElementById("shown"),more=document.getElementById("more"),search=document.getElementById("search"),
boxes=[...document.querySelectorAll(".counts input")],made=document.createElement("template");
root.classList.add("js");
const plain=s=>s.replace(/&(lt|gt|quot|#x27|amp);/g,(_,e)=>({lt:"<",gt:">",quot:'"',"#x27":"'",amp:"&"})[e]);
const item=(html,row)=>{const [,n,verdict,p,intimacy,format]=
/data-n="(\\d+)" data-v="(\\w+)" data-p="([^"]*)" data-i="(\\d)" data-f="([^"]*)"/.exec(html);
return{html:row?"":html,row,key:verdict,n:+n,verdict:boxes.findIndex(b=>b.value===verdict),
chance:p===""?null:+p,intimacy:+intimacy,format:plain(format),
file:plain(/<bdi class="name">(.*?)<\\/bdi>/.exec(html)[1])}};
const items=[];for(const node of[...body.childNodes]){
if(node.nodeType===Node.COMMENT_NODE)items.push(item(node.data));
else if(node.nodeType===Node.ELEMENT_NODE)items.push(item(node.outerHTML,node))}
const rowOf=i=>{if(!i.row){made.innerHTML=i.html;i.row=made.content.firstElementChild;i.html=""}return i.row};
let limit=STEP;const draw=()=>{const hidden=new Set(boxes.filter(b=>!b.checked).map(b=>b.value)),
wanted=search.value.trim().toLowerCase(),
found=items.filter(i=>!hidden.has(i.key)&&i.file.toLowerCase().includes(wanted)),shown=found.slice(0,limit);
body.replaceChildren(...shown.map(rowOf));
const left=found.length-shown.length,all=items.length.toLocaleString();
note.textContent=shown.length===items.length?"":left?
`Showing ${shown.length.toLocaleString()} of ${found.length.toLocaleString()} files that match; ${all} in all.`:
`Showing ${found.length.toLocaleString()} of ${all} files.`;
more.hidden=!left;more.textContent=`Show ${Math.min(left,STEP)} more`};
const anew=()=>{limit=STEP;draw()};for(const box of boxes)box.addEventListener("change",anew);
search.addEventListener("input",anew);more.addEventListener("click",()=>{const next=limit;limit+=STEP;draw();
body.rows[next]?.querySelector("summary")?.focus()});
const text=new Intl.Collator(undefined,{numeric:true,sensitivity:"base"});
for(const button of document.querySelectorAll("thead button")){button.addEventListener("click",()=>{
const key=button.dataset.key,head=button.closest("th"),now=head.getAttribute("aria-sort"),
down=now?now==="ascending":key==="chance",side=down?-1:1;
for(const th of table.tHead.rows[0].cells)th.removeAttribute("aria-sort");
head.setAttribute("aria-sort",down?"descending":"ascending");
items.sort((a,b)=>{const x=a[key],y=b[key];if(x===null||y===null)return(x===null)-(y===null)||a.n-b.n;
return side*(typeof x==="string"?text.compare(x,y):x-y)||a.n-b.n});draw()})}
let opened=[];addEventListener("beforeprint",()=>{opened=[...body.querySelectorAll("details.why:not([open])")]
.slice(0,200);for(const d of opened)d.open=true});
addEventListener("afterprint",()=>{for(const d of opened)d.open=false});draw()})();
""".strip().replace("STEP", str(DRAWN))


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
