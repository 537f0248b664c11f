// What pages can do with scripts, over what they do without.
import { watchActions } from "./actions.js";
import { watchCopying } from "./copy.js";
import { watchForms } from "./forms.js";
import { keepLive } from "./live.js";
import { followLog } from "./log.js";
import { chooseTheme } from "./theme-choice.js";
import { watchTold } from "./tell.js";
import { localTimes } from "./times.js";
import { watchTries } from "./try.js";

for (const element of document.querySelectorAll("[data-needs-script]")) element.hidden = false;
chooseTheme();
keepLive();
localTimes(document);
watchActions();
watchTold();
watchCopying();
watchForms();
watchTries();
followLog();
document.querySelector(".summary[autofocus]")?.focus();
