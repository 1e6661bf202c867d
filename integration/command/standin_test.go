package command

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

// adminOf is the admin endpoint of a site.
func adminOf(t *testing.T, s *harness.Site, users string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/grant/servers" {
			w.Header().Set("Content-Type", "application/json")
			now := time.Now()
			file := adminapi.File{Path: users, Reads: "users", Entries: 1, LoadedAt: now}
			for series, value := range s.Metrics() {
				if series == `file_last_reload_successful{path="`+file.Path+`",reads="users"}` && value == 0 {
					file.Error = file.Path + ":1: the hash \x1b[2J of \"alice\" is not one that is supported"
				}
			}
			_ = json.NewEncoder(w).Encode([]adminapi.Status{{
				Name: "default", Issuer: s.URL(""), StartedAt: now,
				Keys:     []adminapi.Key{{ID: "Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm8", Algorithm: "ES256", Stage: "signing", Since: &now, Generated: true}},
				Files:    []adminapi.File{file},
				Users:    adminapi.Count{Count: 1},
				Clients:  adminapi.Count{Count: 1},
				Checks:   adminapi.Checks{Concurrency: 2, Queue: 64},
				Sessions: adminapi.Knowledge{ReadAt: &now},
			}})
			return
		}
		response, err := http.Get("http://" + s.Admin() + r.URL.Path)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer response.Body.Close()
		w.WriteHeader(response.StatusCode)
		_, _ = io.Copy(w, response.Body)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}
