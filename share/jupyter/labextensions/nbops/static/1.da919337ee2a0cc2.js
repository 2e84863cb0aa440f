"use strict";(self.rspackChunknbops=self.rspackChunknbops||[]).push([[1],{22(o,r,e){var n=e(23),p=e.n(n),t=e(24),a=(e.n(t))()(p());a.push([o.id,`.nbops-panel {
  overflow: auto;
  padding: 8px;
  background: var(--jp-layout-color1);
  color: var(--jp-ui-font-color1);
  font-size: var(--jp-ui-font-size1);
  line-height: 1.4;
}
.nbops-panel p { margin: 4px 0; overflow-wrap: anywhere; }
.nbops-panel ul { list-style: none; margin: 0; padding: 0; }
.nbops-choose { display: grid; gap: 4px; margin-bottom: 6px; }
.nbops-choose label { display: grid; grid-template-columns: 5em 1fr; align-items: center; }
.nbops-choose select { font: inherit; color: inherit; background: var(--jp-layout-color1); border: 1px solid var(--jp-border-color1); border-radius: 2px; padding: 2px; min-width: 0; }
.nbops-actions { display: flex; flex-wrap: wrap; gap: 4px; margin: 4px 0; }
.nbops-button { font: inherit; color: var(--jp-ui-font-color1); background: var(--jp-layout-color2); border: 1px solid var(--jp-border-color1); border-radius: 3px; padding: 2px 8px; cursor: pointer; }
.nbops-button:hover:enabled { background: var(--jp-layout-color3); }
.nbops-button:disabled { color: var(--jp-ui-font-color2); cursor: default; opacity: 0.75; }
.nbops-button:focus-visible, .nbops-panel summary:focus-visible, .nbops-panel select:focus-visible, .nbops-log:focus-visible { outline: 2px solid var(--jp-brand-color1); outline-offset: 1px; }
.nbops-main:enabled { background: #1565c0; border-color: #1565c0; color: #fff; }
.nbops-main:hover:enabled { background: #0d47a1; }
.nbops-verdict { font-weight: 600; border-left: 4px solid var(--jp-border-color1); padding-left: 6px; }
.nbops-mark-failed.nbops-verdict, .nbops-mark-errored.nbops-verdict { border-color: #c62828; }
.nbops-mark-warned.nbops-verdict { border-color: #ef6c00; }
.nbops-mark-passed.nbops-verdict { border-color: #2e7d32; }
.nbops-mark-running.nbops-verdict { border-color: #1565c0; }
.nbops-why { color: var(--jp-ui-font-color1); font-size: var(--jp-ui-font-size0); }
.nbops-error, .nbops-problem { border: 1px solid #c62828; border-radius: 3px; padding: 4px 6px; white-space: pre-wrap; font-family: var(--jp-code-font-family); font-size: var(--jp-ui-font-size0); }
.nbops-task { border-top: 1px solid var(--jp-border-color2); }
.nbops-task > summary { display: flex; gap: 6px; align-items: baseline; padding: 3px 0; cursor: pointer; }
.nbops-name { font-weight: 500; overflow-wrap: anywhere; }
.nbops-took { margin-left: auto; font-size: var(--jp-ui-font-size0); color: var(--jp-ui-font-color1); white-space: nowrap; }
.nbops-state { flex: none; display: inline-block; min-width: 4.6em; text-align: center; border-radius: 8px; padding: 0 6px; font-size: 11px; color: #fff; background: #546e7a; }
.nbops-state.nbops-failed, .nbops-state.nbops-mark-failed, .nbops-state.nbops-mark-errored { background: #b71c1c; }
.nbops-state.nbops-warned, .nbops-state.nbops-mark-warned, .nbops-state.nbops-held { background: #a84300; }
.nbops-state.nbops-stale, .nbops-state.nbops-unknown { background: #4a5b66; }
.nbops-state.nbops-running, .nbops-state.nbops-waiting { background: #1565c0; }
.nbops-state.nbops-fresh, .nbops-state.nbops-mark-passed { background: #1b6e20; }
.nbops-detail { padding: 2px 0 6px 10px; }
.nbops-dataset { border-left: 2px solid var(--jp-border-color2); padding-left: 6px; margin: 4px 0; }
.nbops-dataset p { display: flex; gap: 6px; align-items: baseline; flex-wrap: wrap; }
.nbops-checks li { font-size: var(--jp-ui-font-size0); overflow-wrap: anywhere; padding-left: 8px; }
.nbops-picture, .nbops-logbox { margin: 6px 0; border-top: 1px solid var(--jp-border-color2); padding-top: 4px; }
.nbops-picture > summary, .nbops-logbox > summary { cursor: pointer; }
.nbops-graph { width: 100%; max-height: 360px; }
.nbops-graph text { font-size: 11px; fill: var(--jp-ui-font-color1); }
.nbops-box { cursor: pointer; }
.nbops-box rect { fill: var(--jp-layout-color2); stroke: #546e7a; stroke-width: 1.5; }
.nbops-box.nbops-failed rect { stroke: #c62828; stroke-width: 3; }
.nbops-box.nbops-held rect, .nbops-box.nbops-warned rect { stroke: #ef6c00; stroke-dasharray: 5 2; }
.nbops-box.nbops-stale rect, .nbops-box.nbops-unknown rect { stroke-dasharray: 2 2; }
.nbops-box.nbops-running rect, .nbops-box.nbops-waiting rect { stroke: #1e88e5; }
.nbops-box.nbops-fresh rect { stroke: #2e7d32; }
.nbops-edge { fill: none; stroke: var(--jp-border-color1); }
.nbops-log { max-height: 300px; overflow: auto; margin: 4px 0; padding: 6px; background: var(--jp-layout-color2); font-family: var(--jp-code-font-family); font-size: var(--jp-code-font-size); white-space: pre-wrap; overflow-wrap: anywhere; }
.nbops-report { display: flex; flex-direction: column; min-width: 0; min-height: 0; background: var(--jp-layout-color1); color: var(--jp-ui-font-color1); font-size: var(--jp-ui-font-size1); }
.nbops-bar { display: flex; flex-wrap: wrap; align-items: center; gap: 4px; padding: 4px 8px; border-bottom: 1px solid var(--jp-border-color1); }
.nbops-pair { min-width: 0; display: flex; flex-wrap: wrap; align-items: center; gap: 4px; flex: 1 1 100%; }
.nbops-pair label { display: flex; align-items: center; gap: 4px; min-width: 0; max-width: 100%; flex: 0 1 auto; }
.nbops-pair select { font: inherit; color: var(--jp-ui-font-color1); background: var(--jp-layout-color1); border: 1px solid var(--jp-border-color1); border-radius: 3px; padding: 2px 4px; min-width: 0; max-width: 100%; flex: 0 1 auto; }
.nbops-pair select:focus-visible { outline: 2px solid var(--jp-brand-color1); outline-offset: 1px; }
.nbops-diff > .nbops-problem { margin: 8px; }
.nbops-address { overflow-wrap: anywhere; }
.nbops-where { flex: 1 1 8em; min-width: 0; margin-left: 6px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-family: var(--jp-code-font-family); font-size: var(--jp-ui-font-size0); }
.nbops-news { margin: 0; padding: 4px 8px; border-bottom: 1px solid var(--jp-border-color1); border-left: 4px solid #1565c0; }
.nbops-frame { flex: 1; min-height: 0; position: relative; }
.nbops-frame iframe { width: 100%; height: 100%; border: 0; display: block; }
.nbops-form { display: grid; gap: 6px; min-width: min(24em, 80vw); }
.nbops-form label { display: grid; gap: 2px; }
.nbops-form input, .nbops-form select { font: inherit; color: var(--jp-ui-font-color1); background: var(--jp-layout-color1); border: 1px solid var(--jp-border-color1); border-radius: 2px; padding: 4px; }
.nbops-form .jp-select-wrapper { margin: 0; height: auto; }
.nbops-form .nbops-problem { font-family: inherit; margin: 6px 0 0; }
.nbops-form small { color: var(--jp-ui-font-color1); }
.nbops-form :focus-visible { outline: 2px solid var(--jp-brand-color1); }
.nbops-incidents { border: 1px solid var(--jp-border-color1); border-left: 4px solid #c62828; border-radius: 3px; padding: 2px 6px; margin: 6px 0; }
.nbops-incidents > summary { cursor: pointer; font-weight: 600; }
.nbops-incident { border-top: 1px solid var(--jp-border-color2); padding: 2px 0; }
.nbops-incident > p:first-child { display: flex; gap: 6px; align-items: baseline; }
.nbops-progress { display: flex; gap: 6px; align-items: center; }
.nbops-progress progress { flex: 1; min-width: 4em; height: 8px; accent-color: #1565c0; }
.nbops-cell-banner { margin: 4px 8px 6px; padding: 4px 8px; border: 1px solid var(--jp-border-color1); border-left: 4px solid #ef6c00; border-radius: 3px; background: var(--jp-layout-color1); color: var(--jp-ui-font-color1); font-size: var(--jp-ui-font-size1); line-height: 1.4; }
.nbops-cell-banner.nbops-bad { border-left-color: #c62828; }
.nbops-cell-banner p, .nbops-notebook-checks p { margin: 2px 0; overflow-wrap: anywhere; }
.nbops-cell-banner ul, .nbops-notebook-checks ul { margin: 0; padding-left: 1.2em; overflow-wrap: anywhere; }
.nbops-note { font-size: var(--jp-ui-font-size0); font-style: italic; }
.nbops-notebook-checks { padding: 6px 10px; max-height: 40vh; overflow: auto; border-bottom: 1px solid var(--jp-border-color1); background: var(--jp-layout-color1); color: var(--jp-ui-font-color1); font-size: var(--jp-ui-font-size1); line-height: 1.4; }
.nbops-notebook-checks .nbops-button { margin-left: 6px; }
.nbops-notebook-checks > .nbops-button { margin: 4px 0 0; }
.nbops-sources { border-collapse: collapse; }
.nbops-sources th, .nbops-sources td { text-align: left; vertical-align: top; padding: 2px 8px 2px 0; }
`,""]),e.d(r,{},{A:a})},24(o){o.exports=function(o){var r=[];return r.toString=function(){return this.map(function(r){var e="",n=void 0!==r[5];return r[4]&&(e+="@supports (".concat(r[4],") {")),r[2]&&(e+="@media ".concat(r[2]," {")),n&&(e+="@layer".concat(r[5].length>0?" ".concat(r[5]):""," {")),e+=o(r),n&&(e+="}"),r[2]&&(e+="}"),r[4]&&(e+="}"),e}).join("")},r.i=function(o,e,n,p,t){"string"==typeof o&&(o=[[null,o,void 0]]);var a={};if(n)for(var s=0;s<this.length;s++){var i=this[s][0];null!=i&&(a[i]=!0)}for(var l=0;l<o.length;l++){var d=[].concat(o[l]);n&&a[d[0]]||(void 0!==t&&(void 0===d[5]||(d[1]="@layer".concat(d[5].length>0?" ".concat(d[5]):""," {").concat(d[1],"}")),d[5]=t),e&&(d[2]&&(d[1]="@media ".concat(d[2]," {").concat(d[1],"}")),d[2]=e),p&&(d[4]?(d[1]="@supports (".concat(d[4],") {").concat(d[1],"}"),d[4]=p):d[4]="".concat(p)),r.push(d))}},r}},23(o){o.exports=function(o){return o[1]}},15(o,r,e){e.r(r);var n=e(16),p=e.n(n),t=e(17),a=e.n(t),s=e(18),i=e.n(s),l=e(19),d=e.n(l),c=e(20),b=e.n(c),f=e(21),u=e.n(f),x=e(22),m={};m.styleTagTransform=u(),m.setAttributes=d(),m.insert=i().bind(null,"head"),m.domAPI=a(),m.insertStyleElement=b(),p()(x.A,m);let g=x.A&&x.A.locals?x.A.locals:void 0;e.d(r,{},{default:g})},16(o){var r=[];function e(o){for(var e=-1,n=0;n<r.length;n++)if(r[n].identifier===o){e=n;break}return e}function n(o,n){for(var p={},t=[],a=0;a<o.length;a++){var s=o[a],i=n.base?s[0]+n.base:s[0],l=p[i]||0,d="".concat(i," ").concat(l);p[i]=l+1;var c=e(d),b={css:s[1],media:s[2],sourceMap:s[3],supports:s[4],layer:s[5]};if(-1!==c)r[c].references++,r[c].updater(b);else{var f=function(o,r){var e=r.domAPI(r);return e.update(o),function(r){r?(r.css!==o.css||r.media!==o.media||r.sourceMap!==o.sourceMap||r.supports!==o.supports||r.layer!==o.layer)&&e.update(o=r):e.remove()}}(b,n);n.byIndex=a,r.splice(a,0,{identifier:d,updater:f,references:1})}t.push(d)}return t}o.exports=function(o,p){var t=n(o=o||[],p=p||{});return function(o){o=o||[];for(var a=0;a<t.length;a++){var s=e(t[a]);r[s].references--}for(var i=n(o,p),l=0;l<t.length;l++){var d=e(t[l]);0===r[d].references&&(r[d].updater(),r.splice(d,1))}t=i}}},18(o){var r={};o.exports=function(o,e){var n=function(o){if(void 0===r[o]){var e=document.querySelector(o);if(window.HTMLIFrameElement&&e instanceof window.HTMLIFrameElement)try{e=e.contentDocument.head}catch(o){e=null}r[o]=e}return r[o]}(o);if(!n)throw Error("Couldn't find a style target. This probably means that the value for the 'insert' parameter is invalid.");n.appendChild(e)}},20(o){o.exports=function(o){var r=document.createElement("style");return o.setAttributes(r,o.attributes),o.insert(r,o.options),r}},19(o,r,e){o.exports=function(o){var r=e.nc;r&&o.setAttribute("nonce",r)}},17(o){o.exports=function(o){if("u"<typeof document)return{update:function(){},remove:function(){}};var r=o.insertStyleElement(o);return{update:function(e){var n,p,t;n="",e.supports&&(n+="@supports (".concat(e.supports,") {")),e.media&&(n+="@media ".concat(e.media," {")),(p=void 0!==e.layer)&&(n+="@layer".concat(e.layer.length>0?" ".concat(e.layer):""," {")),n+=e.css,p&&(n+="}"),e.media&&(n+="}"),e.supports&&(n+="}"),(t=e.sourceMap)&&"u">typeof btoa&&(n+="\n/*# sourceMappingURL=data:application/json;base64,".concat(btoa(unescape(encodeURIComponent(JSON.stringify(t))))," */")),o.styleTagTransform(n,r,o.options)},remove:function(){var o;null===(o=r).parentNode||o.parentNode.removeChild(o)}}}},21(o){o.exports=function(o,r){if(r.styleSheet)r.styleSheet.cssText=o;else{for(;r.firstChild;)r.removeChild(r.firstChild);r.appendChild(document.createTextNode(o))}}}}]);