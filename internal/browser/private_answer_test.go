package browser

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const html = "<!DOCTYPE html><title>a</title>"

// overBoth serves one handler over HTTP/1.1 and HTTP/2, and runs a test with each.
func overBoth(t *testing.T, handler http.Handler, test func(t *testing.T, client *http.Client, url string)) {
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(version, func(t *testing.T) {
			server := httptest.NewUnstartedServer(handler)
			server.EnableHTTP2 = version == "HTTP/2.0"
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.StartTLS()
			defer server.Close()
			client := server.Client()
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			test(t, client, server.URL)
		})
	}
}

// get sends a request and returns the answer, the body of which is read.
func get(t *testing.T, client *http.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

func request(t *testing.T, method, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEachAnswerIsPrivateHoweverItIsWritten(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	page, image, unknown := write("a.html", html), write("a.png", "\x89PNG\x0D\x0A\x1A\x0A"), write("a", html+strings.Repeat(" ", 4096))
	open := func(path string) *os.File {
		file, err := os.Open(path)
		if err != nil {
			t.Error(err)
		}
		return file
	}
	set := func(w http.ResponseWriter, nameValues ...string) {
		for i := 0; i < len(nameValues); i += 2 {
			w.Header().Set(nameValues[i], nameValues[i+1])
		}
	}

	for _, tt := range []struct {
		name     string
		document bool // the request is a navigation
		app      http.HandlerFunc
		status   int
		want     string // of Cache-Control
		body     string
	}{
		{"nothing is written", false, func(http.ResponseWriter, *http.Request) {}, 200, "private", ""},
		{"nothing is written to a navigation", true, func(http.ResponseWriter, *http.Request) {}, 200, "no-store", ""},
		{"nothing but a header is set", false, func(w http.ResponseWriter, _ *http.Request) { set(w, "Cache-Control", "public") }, 200, "private", ""},
		{"a status alone", false, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, 204, "private", ""},
		{"a body alone", false, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "text") }, 200, "private", "text"},
		{"a body without a byte", false, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(nil) }, 200, "private", ""},
		{"a status and a body", false, func(w http.ResponseWriter, _ *http.Request) {
			set(w, "Content-Type", "application/json", "Cache-Control", "public, max-age=60")
			w.WriteHeader(201)
			_, _ = io.WriteString(w, "{}")
		}, 201, "private, max-age=60", "{}"},
		{"a second status", false, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			set(w, "Cache-Control", "public")
			w.WriteHeader(500)
		}, 200, "private", ""},
		{"a header after the body", false, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "text")
			set(w, "Cache-Control", "public")
		}, 200, "private", "text"},
		{"an error", false, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", 404) }, 404, "private", "no\n"},
		{"a redirect of a navigation", true, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/a", http.StatusSeeOther) }, 303, "no-store", "<a href=\"/a\">See Other</a>.\n\n"},
		{"what has not changed", false, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, 304, "private", ""},

		{"a navigation to anything", true, func(w http.ResponseWriter, _ *http.Request) {
			set(w, "Content-Type", "text/plain")
			_, _ = io.WriteString(w, "text")
		}, 200, "no-store", "text"},
		{"a navigation of which the app says something", true, func(w http.ResponseWriter, _ *http.Request) {
			set(w, "Cache-Control", "max-age=60")
			_, _ = io.WriteString(w, html)
		}, 200, "private, max-age=60", html},
		{"HTML for a fetch or a frame", false, func(w http.ResponseWriter, _ *http.Request) {
			set(w, "Content-Type", "Text/HTML ; charset=utf-8")
			_, _ = io.WriteString(w, html)
		}, 200, "no-store", html},
		{"XHTML", false, func(w http.ResponseWriter, _ *http.Request) { set(w, "Content-Type", "application/xhtml+xml") }, 200, "no-store", ""},
		{"PDF", false, func(w http.ResponseWriter, _ *http.Request) { set(w, "Content-Type", "application/pdf") }, 200, "no-store", ""},
		{"SVG", false, func(w http.ResponseWriter, _ *http.Request) { set(w, "Content-Type", "image/svg+xml") }, 200, "no-store", ""},
		{"a type that only begins like HTML", false, func(w http.ResponseWriter, _ *http.Request) { set(w, "Content-Type", "text/html2") }, 200, "private", ""},
		{"HTML of which net/http finds the type", false, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, html) }, 200, "no-store", html},
		{"HTML of a type that net/http does not look for", false, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			_, _ = io.WriteString(w, html)
		}, 200, "private", html},

		{"a copied file", false, func(w http.ResponseWriter, _ *http.Request) {
			set(w, "Content-Type", "text/plain")
			_, _ = io.Copy(w, open(page))
		}, 200, "private", html},
		{"a copied file of which net/http finds the type", false, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, open(page)) }, 200, "no-store", html},
		{"a larger one", false, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, open(unknown)) }, 200, "no-store", html + strings.Repeat(" ", 4096)},
		{"a copied file without a byte", false, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, io.LimitReader(open(page), 0)) }, 200, "private", ""},
		{"a served page", false, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, page) }, 200, "no-store", html},
		{"a served image", false, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, image) }, 200, "private", "\x89PNG\x0D\x0A\x1A\x0A"},

		{"a flush before everything", false, func(w http.ResponseWriter, r *http.Request) {
			set(w, "Cache-Control", "public")
			// With HTTP/2 the answer to a HEAD is over with its header.
			if err := http.NewResponseController(w).Flush(); err != nil && r.Method != http.MethodHead {
				t.Error(err)
			}
			set(w, "Cache-Control", "public")
			_, _ = io.WriteString(w, "text")
		}, 200, "private", "text"},
		{"a flush of an old app", false, func(w http.ResponseWriter, _ *http.Request) {
			set(w, "Cache-Control", "public")
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "text")
		}, 200, "private", "text"},
		{"events", false, func(w http.ResponseWriter, _ *http.Request) {
			set(w, "Content-Type", "text/event-stream", "Cache-Control", "no-cache")
			for range 2 {
				_, _ = io.WriteString(w, "data: a\n\n")
				_ = http.NewResponseController(w).Flush()
			}
		}, 200, "private, no-cache", "data: a\n\ndata: a\n\n"},
		{"early hints", false, func(w http.ResponseWriter, _ *http.Request) {
			set(w, "Link", "</a.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusProcessing)
			set(w, "Cache-Control", "public")
			w.WriteHeader(202)
		}, 202, "private", ""},
		{"an app that shares its deadlines", false, func(w http.ResponseWriter, _ *http.Request) {
			c := http.NewResponseController(w)
			if err := c.SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
				t.Error(err)
			}
			if err := c.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
				t.Error(err)
			}
			if err := c.EnableFullDuplex(); err != nil {
				t.Error(err)
			}
		}, 200, "private", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var calls atomic.Int32
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				private := Private(w, tt.document, func(h http.Header) {
					calls.Add(1)
					SetCookie{Name: "s", Value: "renewed"}.AddTo(h)
				})
				tt.app(private, r)
				private.Finish()
			})
			overBoth(t, handler, func(t *testing.T, client *http.Client, url string) {
				for _, method := range []string{http.MethodGet, http.MethodHead} {
					calls.Store(0)
					answer, body := get(t, client, request(t, method, url))
					want := tt.want
					if answer.StatusCode != tt.status || !slices.Equal(answer.Header["Cache-Control"], []string{want}) {
						t.Errorf("%s: %d with Cache-Control %q, want %d with %q", method, answer.StatusCode, answer.Header["Cache-Control"], tt.status, want)
					}
					if calls.Load() != 1 || len(answer.Cookies()) != 1 {
						t.Errorf("%s: before was called %d times, cookies are %v", method, calls.Load(), answer.Cookies())
					}
					if method == http.MethodGet && body != tt.body {
						t.Errorf("the body is %q, want %q", body, tt.body)
					}
				}
			})
		})
	}
}

func TestInformationalAnswersHaveNoCookie(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		private := Private(w, true, func(h http.Header) { h.Add("Set-Cookie", "s=renewed") })
		private.Header().Set("Link", "</a.css>; rel=preload")
		private.WriteHeader(http.StatusEarlyHints)
		private.Header().Del("Link")
		_, _ = io.WriteString(private, "text")
	})
	overBoth(t, handler, func(t *testing.T, client *http.Client, url string) {
		var hints []textproto.MIMEHeader
		r := request(t, http.MethodGet, url)
		answer, _ := get(t, client, r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				hints = append(hints, h)
				return nil
			},
		})))
		if len(hints) != 1 || hints[0].Get("Link") == "" || hints[0].Get("Set-Cookie") != "" {
			t.Errorf("the hints are %v", hints)
		}
		if len(answer.Cookies()) != 1 || answer.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("the answer is %v", answer.Header)
		}
	})
}

func TestTrailersOfAnAppStay(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		private := Private(w, false, nil)
		private.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(private, "text")
		private.Header().Set("X-Sum", "1")
		private.Header().Set(http.TrailerPrefix+"X-More", "2")
		private.Finish()
	})
	overBoth(t, handler, func(t *testing.T, client *http.Client, url string) {
		answer, _ := get(t, client, request(t, http.MethodGet, url))
		if answer.Trailer.Get("X-Sum") != "1" || answer.Trailer.Get("X-More") != "2" {
			t.Errorf("the trailers are %v", answer.Trailer)
		}
	})
}

// readerFrom is a writer that can send a file itself.
type readerFrom struct {
	http.ResponseWriter
	from io.Reader
}

func (w *readerFrom) ReadFrom(r io.Reader) (int64, error) {
	w.from = r
	return io.Copy(w.ResponseWriter, r)
}

func TestAFileIsStillSentByTheServer(t *testing.T) {
	file, err := os.Open("private_answer_test.go")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, contentType := range []string{"text/plain", ""} {
		inner := &readerFrom{ResponseWriter: httptest.NewRecorder()}
		private := Private(inner, false, nil)
		if contentType != "" {
			private.Header().Set("Content-Type", contentType)
		}
		if _, err := io.Copy(private, struct{ io.Reader }{file}); err != nil {
			t.Fatal(err)
		}
		if inner.from == nil {
			t.Errorf("type %q: the file was copied", contentType)
		}
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAWriterThatCannotFlushSaysSo(t *testing.T) {
	type plain struct{ http.ResponseWriter }
	if err := http.NewResponseController(Private(plain{}, false, nil)).SetReadDeadline(time.Time{}); err == nil {
		t.Error("a deadline of nothing was set")
	}
	if err := http.NewResponseController(Private(plain{httptest.NewRecorder()}, false, nil)).Flush(); err == nil {
		t.Error("nothing was flushed, and no error tells so")
	}
}
