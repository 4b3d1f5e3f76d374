// What /keepsakes.html shares: tells every visitor the names of all.
const names = new Set();
addEventListener("connect", ({ports: [port]}) => {
  port.onmessage = (event) => {
    names.add(event.data);
    port.postMessage([...names]);
  };
});
