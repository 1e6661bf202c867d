package harness

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

// AdminStandIn is temporary: until the real admin API is there.
func AdminStandIn(t *testing.T, admin, users string) string {
	t.Helper()
	now := time.Now()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		response, err := http.Get("http://" + admin + "/metrics")
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer response.Body.Close()
		metrics, _ := io.ReadAll(response.Body)
		if r.URL.Path == "/metrics" {
			_, _ = w.Write(metrics)
			return
		}
		file := adminapi.File{Path: users, Reads: "users", Entries: 1, LoadedAt: now}
		if strings.Contains(string(metrics), `file_last_reload_successful{path="`+users+`",reads="users"} 0`) {
			file.Error = users + ":1: the hash \x1b[2J of \"alice\" is not one that is supported"
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode([]adminapi.Status{{
			Name: "default", Issuer: "https://auth.example.com", StartedAt: now,
			Keys:     []adminapi.Key{{ID: "Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm8", Algorithm: "ES256", Stage: "signing", Since: &now, Generated: true}},
			Files:    []adminapi.File{file},
			Users:    adminapi.Count{Count: 1},
			Clients:  adminapi.Count{Count: 1},
			Checks:   adminapi.Checks{Concurrency: 2, Queue: 64},
			Throttle: adminapi.Throttle{Accounts: 1},
			Sessions: adminapi.Knowledge{ReadAt: &now},
		}})
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}
