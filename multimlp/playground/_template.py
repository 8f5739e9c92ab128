"""The page around the widgets and pictures. Everything that it needs comes from the server itself."""

from __future__ import annotations

_STYLE = """
:root { color-scheme: light; }
body { font-family: system-ui, sans-serif; color: #14213d; background: #f5f6f8; margin: 0; font-size: 14px; overflow-wrap: anywhere; }
header { position: sticky; top: 0; z-index: 10; background: #ffffff; border-bottom: 1px solid #d5d9e0; padding: 8px 16px;
  display: flex; flex-wrap: wrap; gap: 4px 16px; align-items: center; }
h1 { font-size: 16px; margin: 0; }
h2 { font-size: 14px; margin: 0 0 2px; }
.buttons { display: grid; grid-template-columns: repeat(3, 84px); gap: 6px; }
.status { flex: 1 1 260px; min-width: 0; min-height: 40px; display: flex; align-items: center; }
main { display: grid; grid-template-columns: 250px minmax(0, 1fr); gap: 16px; padding: 16px; max-width: 1700px; margin: 0 auto; }
.settings fieldset { border: 1px solid #d5d9e0; border-radius: 6px; background: #ffffff; margin: 0 0 10px; padding: 4px 10px 8px;
  display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 2px 10px; min-width: 0; }
.settings legend { font-weight: 600; padding: 0 4px; }
.settings summary { display: none; font-weight: 600; padding: 6px 0; cursor: pointer; }
.wide { grid-column: 1 / -1; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(300px, 100%), 1fr)); gap: 12px; align-content: start; }
.cell { background: #ffffff; border: 1px solid #d5d9e0; border-radius: 6px; padding: 8px 10px; min-width: 0; }
.caption { min-height: 38px; }
body[data-stale="yes"] .pictures { opacity: 0.25; }
body:not([data-kind="made"]) .made, body:not([data-kind="own"]) .own, body:not([data-sides="2"]) .second { display: none; }
@media (max-width: 700px) {
  main { grid-template-columns: minmax(0, 1fr); padding: 8px; gap: 8px; }
  header { padding: 6px 8px; }
  .settings summary { display: block; background: #ffffff; border: 1px solid #d5d9e0; border-radius: 6px; padding: 8px 10px; }
  .settings summary::before { content: "\\25b8  "; }
  .settings[open] summary::before { content: "\\25be  "; }
  .settings[open] summary { margin-bottom: 10px; }
}
"""

_SETTINGS = (
    ("Data", (("wide", "data"), ("made", "samples"), ("made", "noise"), ("own wide", "file"), ("own wide", "target"))),
    ("Network", (("wide", "hidden"), ("wide", "activation"))),
    (
        "Training",
        (
            ("wide", "optimizer"), ("", "learning_rate"), ("", "batch_size"), ("", "l2"), ("", "seed"), ("", "epochs"),
            ("wide", "pace"),
        ),
    ),
    ("Backends", (("", "backend"), ("", "dtype"), ("", "other"), ("second", "other_dtype"))),
)  # fmt: skip
_PICTURES = (
    ("", "decision", "Decision"),
    ("second", "other_decision", "Decision, second backend"),
    ("second", "difference", "Difference of the decisions"),
    ("", "loss", "Loss"),
    ("", "regions", "Linear regions"),
    ("", "flow", "Gradient flow"),
    ("", "curves", "Activations"),
    ("second", "apart", "Difference of the parameters"),
)


def _fieldsets() -> str:
    return "".join(
        f"<fieldset><legend>{title}</legend>"
        + "".join(f'<div class="{kind}">{{{{ embed(roots.{name}) }}}}</div>' for kind, name in fields)
        + "</fieldset>"
        for title, fields in _SETTINGS
    )


def _cells() -> str:
    return "".join(
        f'<section class="cell {kind}"><h2>{title}</h2><div class="caption">{{{{ embed(roots.{name}_caption) }}}}</div>'
        f"{{{{ embed(roots.{name}) }}}}</section>"
        for kind, name, title in _PICTURES
    )


TEMPLATE = f"""
{{% from macros import embed %}}
{{% block preamble %}}
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
{{% endblock %}}
{{% block postamble %}}<style>{_STYLE}</style>{{% endblock %}}
{{% block contents %}}
<header>
<h1>multimlp playground</h1>
<div class="buttons">{{{{ embed(roots.start) }}}}{{{{ embed(roots.step) }}}}{{{{ embed(roots.reset) }}}}</div>
<div class="status">{{{{ embed(roots.status) }}}}</div>
</header>
<main>
<details class="settings" open><summary>Settings</summary>{_fieldsets()}</details>
<div class="pictures">{_cells()}</div>
</main>
<script>if (window.innerWidth <= 700) document.querySelector(".settings").open = false;</script>
{{% endblock %}}
"""
"""For Bokeh, whose own template it extends."""
