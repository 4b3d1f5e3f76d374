import { createApp } from "vue";
import { createRouter, createWebHistory } from "vue-router";
import { createVuetify } from "vuetify";
import * as components from "vuetify/components";
import * as directives from "vuetify/directives";
import "vuetify/styles";
import App from "./App.vue";

const routes = [{ path: "/", component: () => import("./Stock.vue") }];
createApp(App)
  .use(createRouter({ history: createWebHistory(), routes }))
  .use(createVuetify({ components, directives }))
  .mount("#app");
