import { javascript } from "@codemirror/lang-javascript";
import { basicSetup, EditorView } from "codemirror";

const doc = await (await fetch("/part/program.js?ms=400")).text();
new EditorView({ doc, extensions: [basicSetup, javascript()], parent: document.getElementById("editor") });
