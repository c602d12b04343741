package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/monitor/drift"
)

// These tests need Chromium and axe-core: make test-report runs them. With FSTORE_REPORT_PICTURES=DIR they leave what they saw there.

// opened unfolds everything, and waits until it is laid out.
const opened = `(async () => {
	document.querySelectorAll('details').forEach(d => d.open = true);
	for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
})()`

// written writes a report to a file for the browser.
func written(t *testing.T, c *drift.Comparison) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, write(t, c), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// axe-core finds nothing to complain about, in both schemes and at both widths, with everything unfolded.
func TestTheReportIsAccessible(t *testing.T) {
	b := openBrowser(t)
	accessible(t, b, written(t, comparison()))
}

func accessible(t *testing.T, b *browser, file string) {
	t.Helper()
	axe, err := os.ReadFile(os.Getenv("FSTORE_AXE"))
	if err != nil {
		t.Fatal("make test-report fetches axe-core: ", err)
	}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int{1280, 360} {
			b.show(file, width, scheme)
			b.eval(opened, nil)
			b.eval(string(axe)+"; undefined", nil)
			var found struct {
				Passes     int
				Violations []string
			}
			b.eval(`axe.run(document, {resultTypes: ['violations']}).then(r => ({passes: r.passes.length,
				violations: r.violations.flatMap(v => v.nodes.map(n => v.id + ': ' + v.help + ': ' + n.html.slice(0, 200)))}))`, &found)
			if found.Passes < 20 {
				t.Errorf("%s, %d wide: axe-core made only %d checks", scheme, width, found.Passes)
			}
			for _, v := range found.Violations {
				t.Errorf("%s, %d wide: %s", scheme, width, v)
			}
		}
	}
}

// The browser asks for nothing, runs nothing and complains about nothing, whatever the texts are.
func TestTheReportLoadsNothing(t *testing.T) {
	b := openBrowser(t)
	for _, s := range append([]string{"harmless"}, hostile...) {
		file := written(t, poisoned(comparison(), s))
		b.show(file, 1280, "light")
		b.eval(opened, nil)
		for _, e := range b.events {
			method, params, _ := strings.Cut(e, " ")
			if method == "Network.requestWillBeSent" && !strings.Contains(params, "file://"+file) ||
				slices.Contains([]string{"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Page.javascriptDialogOpening"}, method) {
				t.Errorf("%.40q: %.300s", s, e)
			}
		}
	}
}

// Nothing is wider than the window or lies on something else's text, on a phone and on a desk.
func TestTheReportFitsItsWindow(t *testing.T) {
	b := openBrowser(t)
	for i, s := range append([]string{"harmless"}, hostile...) {
		for _, width := range []int{360, 900, 1280} {
			if i > 0 && width > 360 {
				continue
			}
			b.show(written(t, poisoned(comparison(), s)), width, "light")
			b.eval(opened, nil)
			var wide []string
			b.eval(fmt.Sprintf(`[...document.body.querySelectorAll('*')].filter(e => !e.closest('.hidden') &&
				(e.getBoundingClientRect().right > %d + 1 || e.getBoundingClientRect().left < -1)).map(e => e.outerHTML.slice(0, 120))`, width), &wide)
			if len(wide) > 0 {
				t.Errorf("%.40q, %d wide: %d elements stick out, the first: %s", s, width, len(wide), wide[0])
			}
			var tables []string
			b.eval(`[...document.querySelectorAll('table')].filter(e => e.offsetWidth > e.parentElement.offsetWidth + 1).map(e => e.innerText.slice(0, 60))`, &tables)
			if len(tables) > 0 {
				t.Errorf("%.40q, %d wide: a table is wider than its place: %s", s, width, tables[0])
			}
		}
	}
}

// On paper what drifted is unfolded and what did not is not. The page is white in the dark scheme too.
func TestTheReportOnPaper(t *testing.T) {
	b := openBrowser(t)
	b.show(written(t, comparison()), 1280, "dark")
	pdf := b.paper()
	keep(t, "report.pdf", pdf)
	if pages := bytes.Count(pdf, []byte("/Type /Page\n")); pages < 2 || pages > 6 {
		t.Errorf("the report of 10 features has %d pages", pages)
	}
	b.call("Emulation.setEmulatedMedia", map[string]any{"media": "print", "features": []map[string]string{{"name": "prefers-color-scheme", "value": "dark"}}}, nil)
	var seen struct {
		Drifted, Others []float64
		Background      string
	}
	b.eval(`(async () => {
		const heights = s => [...document.querySelectorAll(s)].map(e => e.checkVisibility({contentVisibilityAuto: true}) ? e.getBoundingClientRect().height : 0);
		for (let frame = 0; frame < 300 && Math.min(...heights('.drifted .scores')) == 0; frame++) // what is unfolded is laid out in a later frame
			await new Promise(requestAnimationFrame);
		return {drifted: heights('.drifted .scores'), others: heights('.feature:not(.drifted) .scores'), background: getComputedStyle(document.body).backgroundColor};
	})()`, &seen)
	if len(seen.Drifted) == 0 || slices.Min(seen.Drifted) < 20 {
		t.Errorf("the scores of what drifted are %v pixels high", seen.Drifted)
	}
	if len(seen.Others) == 0 || slices.Max(seen.Others) > 0 {
		t.Errorf("the scores of what did not drift are %v pixels high", seen.Others)
	}
	if seen.Background != "rgb(255, 255, 255)" {
		t.Errorf("the paper is %s", seen.Background)
	}
}

// Pictures for a person to look at. With -update, the last is the picture of docs/drift.md.
func TestPictures(t *testing.T) {
	b := openBrowser(t)
	file := written(t, comparison())
	for _, p := range []struct {
		name, scheme, open string
		width              int
	}{
		{"light", "light", "false", 1280}, {"dark", "dark", "i == 1 || i == 2", 1280}, {"narrow", "light", "i < 2", 360}, {"open", "light", "true", 1280},
	} {
		b.show(file, p.width, p.scheme)
		b.eval(`document.querySelectorAll('details.feature').forEach((d, i) => d.open = `+p.open+`)`, nil)
		png := b.picture(0)
		keep(t, p.name+".png", png)
		if len(png) < 20_000 {
			t.Errorf("%s: a picture of %d bytes shows nothing", p.name, len(png))
		}
	}
	many, few := comparison(), comparison().Features
	for i := range 200 {
		f := few[i%len(few)]
		f.Name = fmt.Sprintf("%s_%03d", f.Name, i)
		many.Features = append(many.Features, f)
	}
	many.Counts = drift.Verdicts{}
	conclude(many)
	b.show(written(t, many), 1280, "light")
	keep(t, "many.png", b.picture(0))

	b.show(file, 1000, "light")
	b.eval(`document.querySelector('.scroll').remove()`, nil)
	b.eval(`document.querySelectorAll('details.feature')[1].open = true`, nil)
	png := b.picture(1100)
	keep(t, "docs.png", png)
	if *update {
		if err := os.WriteFile("../../docs/drift-report.png", png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
