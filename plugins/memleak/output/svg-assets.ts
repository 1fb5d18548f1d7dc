/** Style and script of the flame graph. Neither holds anything that a watched process chose. */

export const STYLE = `
text{font:11px ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;fill:#20242a;pointer-events:none}
.h1{font:600 19px system-ui,"DejaVu Sans",sans-serif}
.sub,.leg,.foot{font:12px system-ui,"DejaVu Sans",sans-serif;fill:#59616c}
.leg{font-size:11.5px}
.cap text{fill:#fff;font-weight:600}
.inl text{font-style:italic}
.box,.cap{cursor:pointer;outline:none}
.box:hover rect,.cap:hover rect,.box:focus rect,.cap:focus rect{stroke:#20242a;stroke-width:1.2}
.faint{opacity:.45}
@media (prefers-color-scheme:dark){.paper{fill:#16181c}.h1{fill:#f0f2f5}.sub,.leg,.foot{fill:#a4acb8}}
`;

/** Click or Enter zooms to a box, Escape or the root goes back; the foot says what is under the pointer. */
export const SCRIPT = `
(function(){
var M=16,W=1168,C=6.65,note=document.getElementById('note'),rest=note.textContent;
var all=[].slice.call(document.querySelectorAll('#flames>g')).map(function(g){
return{g:g,l:+g.dataset.l,w:+g.dataset.w,d:+g.dataset.d,n:g.dataset.n,r:g.querySelector('rect'),t:g.querySelector('text'),s:g.querySelector('title').textContent.split('\\n').join('  \\u00b7  ')}});
function zoom(to){all.forEach(function(b){
var below=b.d<to.d&&b.l<=to.l+1e-9&&b.l+b.w>=to.l+to.w-1e-9,l=below?0:(b.l-to.l)/to.w,w=below?1:b.w/to.w;
var shown=below||(b.d>=to.d&&l>-1e-6&&l+w<1+1e-6&&w*W>=.4);
b.g.style.display=shown?'':'none';b.g.classList.toggle('faint',below);if(!shown)return;
b.r.setAttribute('x',M+l*W);b.r.setAttribute('width',Math.max(w*W-.6,.4));b.t.setAttribute('x',M+l*W+4);
var room=Math.floor((w*W-6)/C);b.t.textContent=room<3?'':b.n.length<=room?b.n:b.n.slice(0,room-1)+'\\u2026';
})}
all.forEach(function(b){
b.g.addEventListener('click',function(){zoom(b)});
b.g.addEventListener('keydown',function(e){if(e.key==='Enter')zoom(b)});
['mouseenter','focus'].forEach(function(n){b.g.addEventListener(n,function(){note.textContent=b.s})});
['mouseleave','blur'].forEach(function(n){b.g.addEventListener(n,function(){note.textContent=rest})});
});
document.addEventListener('keydown',function(e){if(e.key==='Escape'&&all[0])zoom(all[0])});
})();
`;
