package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/report"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
)

// The part of a page that is on a picture, in pixels.
const (
	wide, narrow = 1280, 390
	high         = 1800
)

// pictures takes pictures of the page of r, and returns their paths from the
// directory of the page; none where there is no Chromium.
func pictures(ctx context.Context, files string, r *result.Report) ([]string, error) {
	binary, err := exec.LookPath("chromium")
	if err != nil {
		fmt.Fprintln(os.Stderr, "no pictures:", err)
		return nil, nil
	}
	temporary, err := os.MkdirTemp("", "results-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temporary)
	html := filepath.Join(temporary, "page.html")
	f, err := os.Create(html)
	if err != nil {
		return nil, err
	}
	err = report.Write(f, report.HTML, r)
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return nil, err
	}

	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	allocator, stop := chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(binary), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.UserDataDir(filepath.Join(temporary, "profile")))...)
	defer stop()
	tab, end := chromedp.NewContext(allocator)
	defer end()
	if err := chromedp.Do(tab, chromedp.Navigate("file://"+html)); err != nil {
		return nil, fmt.Errorf("open the page in Chromium: %w", err)
	}
	var paths []string
	for _, width := range []int64{wide, narrow} {
		for _, scheme := range []string{"light", "dark"} {
			name := fmt.Sprintf("page-%d-%s.png", width, scheme)
			if err := picture(tab, filepath.Join(files, name), width, scheme); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			paths = append(paths, "results/"+name)
		}
	}
	if err := chromedp.Cancel(tab); err != nil {
		return nil, fmt.Errorf("close Chromium: %w", err)
	}
	return paths, nil
}

func picture(tab context.Context, path string, width int64, scheme string) error {
	got, err := chromedp.Run(tab, func(ctx context.Context, tab *chromedp.Target) (page.CaptureScreenshotResult, error) {
		screen := emulation.SetDeviceMetricsOverrideParams{Width: width, Height: high, DeviceScaleFactor: 1, Mobile: width == narrow}
		if _, err := cdp.Call(ctx, tab, emulation.SetDeviceMetricsOverride, screen); err != nil {
			return page.CaptureScreenshotResult{}, err
		}
		media := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}
		if _, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: media}); err != nil {
			return page.CaptureScreenshotResult{}, err
		}
		return cdp.Call(ctx, tab, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	})
	if err != nil {
		return err
	}
	return os.WriteFile(path, got.Data, 0o644)
}
