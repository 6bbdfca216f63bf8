package report

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// TestInBrowser opens the page of every fixture in Chromium, wide and narrow,
// light and dark. It runs where Chromium is installed, and fails in CI where
// it is not. SCREENSHOTS=dir keeps what it saw.
func TestInBrowser(t *testing.T) {
	binary, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("Chromium is needed in CI: ", err)
		}
		t.Logf("not run: %v", err)
		return
	}
	ctx := browser(t, binary)
	pages := map[string][]byte{}
	for _, f := range fixtures {
		pages[f.name] = written(t, f.name, HTML)
	}
	var changes bytes.Buffer
	if err := WriteChanges(&changes, HTML, changed()); err != nil {
		t.Fatal(err)
	}
	pages["changes"] = changes.Bytes()
	for name, content := range pages {
		path := filepath.Join(t.TempDir(), name+".html")
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { visit(ctx, t, path) })
	}
}

func browser(t *testing.T, binary string) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(binary), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.UserDataDir(t.TempDir()))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeout(allocator, 3*time.Minute)
	t.Cleanup(cancel)
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Logf("close Chromium: %v", err)
		}
		end()
	})
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// look lists the elements that reach over the edge of the page, texts that
// do not fit their box, columns too narrow for their words, and texts of a plot that overlap or leave it.
const look = `(() => {
	const out = [], wide = document.documentElement.clientWidth
	if (wide != innerWidth && innerWidth - wide > 20) out.push('the page is not as wide as the screen')
	document.querySelectorAll('details').forEach(d => { d.open = true })
	if (document.documentElement.scrollWidth > wide) out.push('the page is ' + document.documentElement.scrollWidth + ' wide')
	for (const e of document.querySelectorAll('body *')) {
		const b = e.getBoundingClientRect()
		if (b.width > 1 && (b.right > wide + 0.5 || b.left < -0.5)) out.push(e.tagName + ' ' + e.className + ' from ' + b.left + ' to ' + b.right + ': ' + e.textContent.slice(0, 60))
		if (!e.closest('svg') && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 1 && getComputedStyle(e).display != 'inline') out.push(e.tagName + ' ' + e.className + ' cuts ' + e.textContent.slice(0, 60))
	}
	for (const e of document.querySelectorAll('th, td')) {
		const b = e.getBoundingClientRect()
		if (b.width > 0 && b.width < 36 && e.textContent.trim().length > 6) out.push(e.tagName + ' is only ' + b.width + ' wide: ' + e.textContent.trim())
	}
	for (const svg of document.querySelectorAll('svg.plot')) {
		const frame = svg.getBoundingClientRect(), texts = [...svg.querySelectorAll('text')].map(e => ({s: e.textContent, b: e.getBoundingClientRect()}))
		for (const [i, t] of texts.entries()) {
			if (t.b.left < frame.left - 0.5 || t.b.right > frame.right + 0.5 || t.b.top < frame.top - 0.5 || t.b.bottom > frame.bottom + 0.5) out.push('"' + t.s + '" leaves ' + svg.ariaLabel)
			for (const u of texts.slice(i + 1)) {
				const x = Math.min(t.b.right, u.b.right) - Math.max(t.b.left, u.b.left), y = Math.min(t.b.bottom, u.b.bottom) - Math.max(t.b.top, u.b.top)
				if (x > 1 && y > 3) out.push('"' + t.s + '" overlaps "' + u.s + '" in ' + svg.ariaLabel)
			}
		}
	}
	document.querySelectorAll('details').forEach(d => { d.open = false })
	const plot = document.querySelector('svg.plot text')
	return {
		Wide: out, Height: document.documentElement.scrollHeight,
		Background: getComputedStyle(document.body).backgroundColor,
		Plot: plot ? getComputedStyle(plot).fill : '',
	}
})()`

// looked is what look returns.
type looked struct {
	Wide             []string
	Background, Plot string
	Height           int64
}

func visit(ctx context.Context, t *testing.T, path string) {
	t.Helper()
	tab, end := chromedp.NewContext(ctx)
	defer end()
	var mu sync.Mutex
	var complaints []string
	complain := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		complaints = append(complaints, what)
	}
	err := chromedp.Listen(tab, func(event any) {
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			complain(fmt.Sprintf("console: %v", e.Type))
		case *runtime.EventExceptionThrown:
			complain("exception: " + e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			complain("log: " + e.Entry.Text)
		case *network.EventRequestWillBeSent:
			if e.Request.URL != "file://"+path && !strings.HasPrefix(e.Request.URL, "data:") {
				complain("it asked for " + e.Request.URL)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	err = chromedp.Do(tab, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, network.Enable, network.EnableParams{})
		return err
	}), chromedp.Navigate("file://"+path))
	if err != nil {
		t.Fatal(err)
	}
	for _, width := range []int64{1280, 390} {
		for _, scheme := range []string{"light", "dark"} {
			t.Run(fmt.Sprintf("%d/%s", width, scheme), func(t *testing.T) { inspect(tab, t, width, scheme) })
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, c := range complaints {
		t.Error(c)
	}
}

func inspect(tab context.Context, t *testing.T, width int64, scheme string) {
	t.Helper()
	err := chromedp.Do(tab, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		screen := emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 900, DeviceScaleFactor: 1, Mobile: width < 600}
		if _, err := cdp.Call(ctx, tab, emulation.SetDeviceMetricsOverride, screen); err != nil {
			return err
		}
		media := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: media})
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
	seen, err := chromedp.Run(tab, chromedp.Evaluate[looked](look))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range seen.Wide {
		t.Error(w)
	}
	wantBackground, wantText := "rgb(244, 246, 248)", "rgb(27, 31, 36)"
	if scheme == "dark" {
		wantBackground, wantText = "rgb(13, 17, 23)", "rgb(230, 237, 243)"
	}
	if seen.Background != wantBackground || seen.Plot != wantText && seen.Plot != "" {
		t.Errorf("the page is %s and the text of its plots %s, want %s and %s", seen.Background, seen.Plot, wantBackground, wantText)
	}
	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		screenshot(tab, t, filepath.Join(dir, strings.ReplaceAll(strings.TrimPrefix(t.Name(), "TestInBrowser/"), "/", "-")+".png"), width, seen.Height)
	}
}

func screenshot(tab context.Context, t *testing.T, path string, width, height int64) {
	t.Helper()
	beyond := true
	got, err := chromedp.Run(tab, func(ctx context.Context, tab *chromedp.Target) (page.CaptureScreenshotResult, error) {
		return cdp.Call(ctx, tab, page.CaptureScreenshot, page.CaptureScreenshotParams{
			CaptureBeyondViewport: &beyond,
			Clip:                  &page.Viewport{Width: float64(width), Height: float64(height), Scale: 1},
		})
	})
	if err == nil && len(got.Data) == 0 {
		err = fmt.Errorf("a page %d pixels high gave no picture", height)
	}
	if err == nil {
		err = os.WriteFile(path, got.Data, 0o644)
	}
	if err != nil {
		t.Error(err)
	}
}
