"use strict";
/* Keeps <main> and <footer> as the server has them: an event says that something changed, the page is fetched again. */
(() => {
    const says = document.getElementById("live");
    let wanted = 0, busy = false;
    const shown = () => Number(document.querySelector("main")?.dataset.generation ?? 0);
    async function refresh() {
        if (busy || document.hidden || wanted === shown())
            return;
        busy = true;
        try {
            const answer = await fetch(location.pathname, {cache: "no-store"});
            if (answer.ok) {
                const next = new DOMParser().parseFromString(await answer.text(), "text/html");
                const focused = document.activeElement?.getAttribute("href");
                document.title = next.title;
                for (const part of ["footer", "main"]) // main says which generation is shown
                    document.querySelector(part).replaceWith(next.querySelector(part));
                if (focused)
                    document.querySelector(`main a[href="${CSS.escape(focused)}"]`)?.focus({preventScroll: true});
            }
        } catch { /* the stream says when the server is back */ }
        busy = false;
        if (wanted !== shown())
            setTimeout(refresh, 1000);
    }
    const stream = new EventSource("/events");
    stream.addEventListener("change", event => { wanted = Number(event.data); refresh(); });
    stream.onopen = () => { says.textContent = "live"; };
    stream.onerror = () => { says.textContent = "not connected: this page may be old"; };
    document.addEventListener("visibilitychange", refresh);
})();
