package report

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// browser is a headless Chromium that shows one page. It speaks the DevTools protocol over two pipes: each message is JSON that
// ends with a zero byte (https://chromedevtools.github.io/devtools-protocol/).
type browser struct {
	t       *testing.T
	in      *bufio.Reader
	out     io.Writer
	session string
	calls   int
	events  []string // the methods of the events that came, and what they say
}

// openBrowser starts Chromium, and ends it with the test. Only make test-report asks for it.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	if os.Getenv("FSTORE_AXE") == "" {
		t.Skip("make test-report runs this")
	}
	path, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	toBrowser, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	in, fromBrowser, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	cmd := exec.CommandContext(ctx, path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--hide-scrollbars", "--font-render-hinting=none", "--force-color-profile=srgb", "--remote-debugging-pipe",
		"--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{toBrowser, fromBrowser} // descriptors 3 and 4
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = toBrowser.Close()
	_ = fromBrowser.Close()
	b := &browser{t: t, in: bufio.NewReader(in), out: out}
	t.Cleanup(func() {
		_, _ = io.WriteString(out, `{"id":0,"method":"Browser.close"}`+"\x00")
		_, _ = io.Copy(io.Discard, b.in)
		_ = cmd.Wait()
		cancel()
		_ = in.Close()
		_ = out.Close()
	})
	b.attach()
	return b
}

// chromium finds the browser, by the names that the Makefile's target chromium also takes.
func chromium() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("there is no Chromium: sudo apt-get install chromium")
}

func (b *browser) attach() {
	b.t.Helper()
	var target struct {
		ID string `json:"targetId"`
	}
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var session struct {
		ID string `json:"sessionId"`
	}
	b.call("Target.attachToTarget", map[string]any{"targetId": target.ID, "flatten": true}, &session)
	b.session = session.ID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(domain+".enable", nil, nil)
	}
}

// call sends a command and waits for its answer. Events that come first are kept.
func (b *browser) call(method string, params any, answer any) {
	b.t.Helper()
	b.calls++
	message := map[string]any{"id": b.calls, "method": method}
	if params != nil {
		message["params"] = params
	}
	if b.session != "" {
		message["sessionId"] = b.session
	}
	text, err := json.Marshal(message)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.out.Write(append(text, 0)); err != nil {
		b.t.Fatal(method, err)
	}
	for {
		got := b.receive()
		if got.ID != b.calls {
			continue
		}
		if got.Error != nil {
			b.t.Fatalf("%s: %s", method, got.Error)
		}
		if answer != nil {
			if err := json.Unmarshal(got.Result, answer); err != nil {
				b.t.Fatal(method, err)
			}
		}
		return
	}
}

type message struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

func (b *browser) receive() message {
	b.t.Helper()
	text, err := b.in.ReadBytes(0)
	if err != nil {
		b.t.Fatal("chromium ended: ", err)
	}
	var m message
	if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
		b.t.Fatal(err)
	}
	if m.Method != "" {
		b.events = append(b.events, m.Method+" "+string(m.Params))
	}
	return m
}

// show opens a file in a window of a width and a colour scheme, "light" or "dark".
func (b *browser) show(file string, width int, scheme string) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride",
		map[string]any{"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false}, nil)
	b.call("Emulation.setEmulatedMedia",
		map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	b.events = nil
	b.call("Page.navigate", map[string]any{"url": "file://" + file}, nil)
	for !b.saw("Page.loadEventFired") {
		b.receive()
	}
}

func (b *browser) saw(method string) bool {
	for _, e := range b.events {
		if len(e) > len(method) && e[:len(method)+1] == method+" " {
			return true
		}
	}
	return false
}

// eval evaluates JavaScript in the page, waits for its promise, and decodes its result.
func (b *browser) eval(script string, out any) {
	b.t.Helper()
	var got struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		Exception json.RawMessage `json:"exceptionDetails"`
	}
	b.call("Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true}, &got)
	if got.Exception != nil {
		b.t.Fatalf("the script failed: %s", got.Exception)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(got.Result.Value, out); err != nil {
		b.t.Fatal(err)
	}
}

// picture returns a PNG of the page down to a height, or of the whole page if it is 0.
func (b *browser) picture(height int) []byte {
	b.t.Helper()
	var size struct{ Width, Height int }
	b.eval(`({width: document.documentElement.clientWidth, height: document.documentElement.scrollHeight})`, &size)
	if height > 0 {
		size.Height = height
	}
	var got struct{ Data []byte }
	b.call("Page.captureScreenshot", map[string]any{
		"format": "png", "captureBeyondViewport": true,
		"clip": map[string]any{"x": 0, "y": 0, "width": size.Width, "height": size.Height, "scale": 1},
	}, &got)
	return got.Data
}

// paper returns the page as a PDF on A4.
func (b *browser) paper() []byte {
	b.t.Helper()
	var got struct{ Data []byte }
	b.call("Page.printToPDF", map[string]any{"paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": true, "printBackground": false}, &got)
	return got.Data
}

// keep writes what a test made into the folder FSTORE_REPORT_PICTURES, where it is set, for a person to look at.
func keep(t *testing.T, name string, data []byte) {
	t.Helper()
	folder := os.Getenv("FSTORE_REPORT_PICTURES")
	if folder == "" {
		return
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
		t.Fatal(err)
	}
}
