import io
import re
import subprocess
import sys
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.colors import to_rgb
from PIL import Image

from schedlab.lab import figures
from schedlab.lab.outputs import save_figure
from schedlab.lab.statistics import interval


def draw_everything(folder):
    figures.style()
    rows = [(n, x, s, x * k + s) for k, n in enumerate("abc") for x in range(4) for s in range(6)]
    table = pd.DataFrame(rows, columns=["name", "x", "seed", "y"])
    figure, panels = figures.canvas(1, 2)
    figures.curve(panels[0], table, x="x", y="y", hue="name")
    figures.bars(panels[1], table[table.x == 2], category="name", value="y")
    figures.reference(panels[0], 3.0, "bound")
    figures.legend(figure)
    save_figure(figure, folder, "drawn", alt="a", caption="c")


@pytest.fixture
def table():
    rows = [
        (name, x, seed, base * x + noise)
        for name, base in [("slow", 2.0), ("fast", 1.0)]
        for x in (1, 2, 3)
        for seed, noise in enumerate((-0.2, 0.1, 0.3, 0.0))
    ]
    return pd.DataFrame(rows, columns=["scheduler", "load", "seed", "time_s"])


@pytest.fixture(autouse=True)
def restore():
    with mpl.rc_context():
        figures.style()
        yield


def draw(table, **options):
    figure, axes = figures.canvas()
    figures.curve(axes, table, x="load", y="time_s", hue="scheduler", **options)
    return figure, axes


def test_svg_and_png_are_the_same_bytes_in_every_process(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    monkeypatch.setenv("PYTHONHASHSEED", "12345")
    draw_everything(str(tmp_path / "here"))
    path = str(tmp_path / "there")
    code = f"import runpy; runpy.run_path({__file__!r})['draw_everything']({path!r})"
    subprocess.run([sys.executable, "-c", code], check=True)
    here, there = (sorted((tmp_path / name).iterdir()) for name in ("here", "there"))
    assert [file.name for file in here] == ["drawn.figure.json", "drawn.png", "drawn.svg"]
    assert [file.read_bytes() for file in here] == [file.read_bytes() for file in there]


def test_curve_shows_the_interval_of_the_statistics_module(table):
    _, axes = draw(table, level=0.9)
    line, band = axes.get_lines()[0], axes.collections[0]
    expected = [
        interval(part.to_numpy(), 0.9)
        for _, part in table[table.scheduler == "slow"].groupby("load")["time_s"]
    ]
    assert line.get_ydata() == pytest.approx([e.estimate for e in expected])
    heights = band.get_paths()[0].vertices[:, 1]
    assert min(heights) == pytest.approx(expected[0].low)
    assert max(heights) == pytest.approx(expected[-1].high)


def test_curve_with_one_seed_has_no_band_and_finite_limits(table):
    _, axes = draw(table[table.seed == 0])
    assert np.isfinite(axes.dataLim.get_points()).all()
    ends = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert set(np.round(ends, 9)) == {1.8, 3.8, 5.8}


def test_bars_stand_in_order_of_appearance_with_whiskers(table):
    figure, axes = figures.canvas()
    part = table[table.load == 2]
    figures.bars(axes, part, category="scheduler", value="time_s")
    assert [text.get_text() for text in axes.get_yticklabels()] == ["slow", "fast"]
    found = interval(part[part.scheduler == "fast"].time_s.to_numpy())
    assert axes.patches[1].get_width() == pytest.approx(found.estimate)
    assert axes.get_lines()[1].get_xdata() == pytest.approx([found.low, found.high])
    assert figure.axes == [axes]


def test_a_label_keeps_its_look_when_others_are_added_or_left_out(table):
    looks = figures.looks_of(["sarathi", "fast", "slow", "mine"])
    _, both = draw(table, looks=looks)
    _, alone = draw(table[table.scheduler == "fast"], looks=looks)
    fast = next(line for line in both.get_lines() if line.get_label() == "fast")
    again = alone.get_lines()[0]
    assert fast.get_color() == again.get_color() == looks["fast"].colour
    assert fast.get_marker() == again.get_marker()
    assert figures.looks_of(["sarathi", "fast"])["fast"] == looks["fast"]


def test_looks_differ_without_colour_too():
    looks = list(figures.looks_of(map(str, range(30))).values())
    assert len({(look.marker, str(look.line)) for look in looks}) == 30
    assert len({(look.colour, look.hatch) for look in looks}) == 30


def test_neighbouring_colours_differ_in_lightness_and_all_show_on_white():
    def luminance(colour):
        channels = to_rgb(colour)
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    lights = [luminance(colour) for colour in figures.PALETTE]
    assert all((1.05 / (light + 0.05)) > 2.2 for light in lights)
    assert all(abs(one - two) > 0.05 for one, two in pairwise(lights))


@pytest.mark.parametrize(("axis", "orientation"), [("x", 0), ("y", 1)])
def test_reference_line_is_labelled_at_its_value(table, axis, orientation):
    _, axes = draw(table)
    figures.reference(axes, 2.5, "bound", axis=axis)
    line = axes.get_lines()[-1]
    assert set(line.get_xydata()[:, orientation]) == {2.5}
    assert axes.texts[0].get_text() == "bound"


def test_legend_lists_each_label_once_above_all_panels(table):
    figure, panels = figures.canvas(1, 2)
    for axes in panels:
        figures.curve(axes, table, x="load", y="time_s", hue="scheduler")
    figures.legend(figure)
    figure.canvas.draw()
    box = figure.legends[0].get_window_extent()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["slow", "fast"]
    assert all(box.y0 >= axes.get_window_extent().y1 for axes in panels)


def test_repeated_seed_is_refused_rather_than_averaged(table):
    doubled = pd.concat([table, table.iloc[:1]])
    with pytest.raises(ValueError, match=r"more than one row of 'time_s'.*'load': 1"):
        draw(doubled)


def test_missing_column_and_unknown_label_are_named(table):
    with pytest.raises(ValueError, match=r"needs columns \['time_s'\]"):
        draw(table.drop(columns="time_s"))
    with pytest.raises(ValueError, match="'slow' has no look; known are"):
        draw(table, looks=figures.looks_of(["fast"]))


def test_text_is_readable_at_640_px():
    figure, axes = figures.canvas()
    axes.set(xlabel="load", ylabel="time")
    assert figure.get_figwidth() * figure.dpi == 640
    smallest = min(text.get_fontsize() for text in [*axes.get_xticklabels(), axes.xaxis.label])
    assert smallest * figure.dpi / 72 >= 12


def test_pictures_have_a_palette_and_the_size_asked_for():
    figures.style()
    figure, axes = figures.canvas()
    axes.plot([1, 2], [1, 2])
    small, sharp = (Image.open(io.BytesIO(figures.picture(figure, dpi))) for dpi in (50, None))
    assert small.mode == sharp.mode == "P"
    assert sharp.width == pytest.approx(4 * small.width, abs=8)


def test_lines_keep_their_colours_in_a_picture_full_of_bands():
    figures.style()
    figure, axes = figures.canvas()
    for i, colour in enumerate(figures.PALETTE):
        axes.fill_between([0, 1], [-i, 0], [3 - i, 9 - i], color=colour, alpha=0.15, linewidth=0)
        axes.plot([0, 1], [i, i], color=colour)
    picture = Image.open(io.BytesIO(figures.picture(figure))).convert("RGB")
    drawn = np.array([colour for _, colour in picture.getcolors(1 << 20)])
    for colour in (*figures.PALETTE, "white"):
        assert (drawn == np.round(255 * np.array(to_rgb(colour)))).all(axis=1).any()


def test_a_saved_svg_is_the_drawn_picture_in_fewer_bytes(table, tmp_path):
    figure, _ = draw(table)
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", bbox_inches="tight")
    save_figure(figure, str(tmp_path), "drawn", alt="a", caption="c")
    large, small = drawn.getvalue(), (tmp_path / "drawn.svg").read_text()
    assert len(small) < 0.7 * len(large)
    assert small.count("<use") == large.count("<use")
    one, two = (float(re.search(r'viewBox="0 0 ([\d.]+)', svg)[1]) for svg in (small, large))
    assert one == pytest.approx(two, abs=0.01)


def test_a_notebook_is_told_under_which_name_a_shown_figure_was_saved(tmp_path, monkeypatch):
    shell = InteractiveShell()
    monkeypatch.setattr(figures, "get_ipython", lambda: shell)
    figures.style()
    figure, _ = figures.canvas()
    _, unsaved = shell.display_formatter.format(figure, include=["image/png"])
    save_figure(figure, str(tmp_path), "ttft", alt="a", caption="c")
    data, saved = shell.display_formatter.format(figure, include=["image/png"])
    assert unsaved["image/png"] == {}
    assert saved["image/png"] == {"figure": "ttft"}
    assert len(Image.open(io.BytesIO(data["image/png"])).getpalette()) <= 3 * figures.COLOURS
