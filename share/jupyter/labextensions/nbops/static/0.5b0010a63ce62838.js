"use strict";(self.rspackChunknbops=self.rspackChunknbops||[]).push([[0],{17(o,e,r){var n=r(18),t=r.n(n),a=r(19),s=(r.n(a))()(t());s.push([o.id,`.nbops-panel {
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
`,""]),r.d(e,{},{A:s})},19(o){o.exports=function(o){var e=[];return e.toString=function(){return this.map(function(e){var r="",n=void 0!==e[5];return e[4]&&(r+="@supports (".concat(e[4],") {")),e[2]&&(r+="@media ".concat(e[2]," {")),n&&(r+="@layer".concat(e[5].length>0?" ".concat(e[5]):""," {")),r+=o(e),n&&(r+="}"),e[2]&&(r+="}"),e[4]&&(r+="}"),r}).join("")},e.i=function(o,r,n,t,a){"string"==typeof o&&(o=[[null,o,void 0]]);var s={};if(n)for(var p=0;p<this.length;p++){var i=this[p][0];null!=i&&(s[i]=!0)}for(var c=0;c<o.length;c++){var l=[].concat(o[c]);n&&s[l[0]]||(void 0!==a&&(void 0===l[5]||(l[1]="@layer".concat(l[5].length>0?" ".concat(l[5]):""," {").concat(l[1],"}")),l[5]=a),r&&(l[2]&&(l[1]="@media ".concat(l[2]," {").concat(l[1],"}")),l[2]=r),t&&(l[4]?(l[1]="@supports (".concat(l[4],") {").concat(l[1],"}"),l[4]=t):l[4]="".concat(t)),e.push(l))}},e}},18(o){o.exports=function(o){return o[1]}},10(o,e,r){r.r(e);var n=r(11),t=r.n(n),a=r(12),s=r.n(a),p=r(13),i=r.n(p),c=r(14),l=r.n(c),d=r(15),b=r.n(d),u=r(16),f=r.n(u),v=r(17),m={};m.styleTagTransform=f(),m.setAttributes=l(),m.insert=i().bind(null,"head"),m.domAPI=s(),m.insertStyleElement=b(),t()(v.A,m);let g=v.A&&v.A.locals?v.A.locals:void 0;r.d(e,{},{default:g})},11(o){var e=[];function r(o){for(var r=-1,n=0;n<e.length;n++)if(e[n].identifier===o){r=n;break}return r}function n(o,n){for(var t={},a=[],s=0;s<o.length;s++){var p=o[s],i=n.base?p[0]+n.base:p[0],c=t[i]||0,l="".concat(i," ").concat(c);t[i]=c+1;var d=r(l),b={css:p[1],media:p[2],sourceMap:p[3],supports:p[4],layer:p[5]};if(-1!==d)e[d].references++,e[d].updater(b);else{var u=function(o,e){var r=e.domAPI(e);return r.update(o),function(e){e?(e.css!==o.css||e.media!==o.media||e.sourceMap!==o.sourceMap||e.supports!==o.supports||e.layer!==o.layer)&&r.update(o=e):r.remove()}}(b,n);n.byIndex=s,e.splice(s,0,{identifier:l,updater:u,references:1})}a.push(l)}return a}o.exports=function(o,t){var a=n(o=o||[],t=t||{});return function(o){o=o||[];for(var s=0;s<a.length;s++){var p=r(a[s]);e[p].references--}for(var i=n(o,t),c=0;c<a.length;c++){var l=r(a[c]);0===e[l].references&&(e[l].updater(),e.splice(l,1))}a=i}}},13(o){var e={};o.exports=function(o,r){var n=function(o){if(void 0===e[o]){var r=document.querySelector(o);if(window.HTMLIFrameElement&&r instanceof window.HTMLIFrameElement)try{r=r.contentDocument.head}catch(o){r=null}e[o]=r}return e[o]}(o);if(!n)throw Error("Couldn't find a style target. This probably means that the value for the 'insert' parameter is invalid.");n.appendChild(r)}},15(o){o.exports=function(o){var e=document.createElement("style");return o.setAttributes(e,o.attributes),o.insert(e,o.options),e}},14(o,e,r){o.exports=function(o){var e=r.nc;e&&o.setAttribute("nonce",e)}},12(o){o.exports=function(o){if("u"<typeof document)return{update:function(){},remove:function(){}};var e=o.insertStyleElement(o);return{update:function(r){var n,t,a;n="",r.supports&&(n+="@supports (".concat(r.supports,") {")),r.media&&(n+="@media ".concat(r.media," {")),(t=void 0!==r.layer)&&(n+="@layer".concat(r.layer.length>0?" ".concat(r.layer):""," {")),n+=r.css,t&&(n+="}"),r.media&&(n+="}"),r.supports&&(n+="}"),(a=r.sourceMap)&&"u">typeof btoa&&(n+="\n/*# sourceMappingURL=data:application/json;base64,".concat(btoa(unescape(encodeURIComponent(JSON.stringify(a))))," */")),o.styleTagTransform(n,e,o.options)},remove:function(){var o;null===(o=e).parentNode||o.parentNode.removeChild(o)}}}},16(o){o.exports=function(o,e){if(e.styleSheet)e.styleSheet.cssText=o;else{for(;e.firstChild;)e.removeChild(e.firstChild);e.appendChild(document.createTextNode(o))}}}}]);