package httpapi

import (
	"fmt"
	"io"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fstore-dev/fstore/server"
)

// metricsPaths are what NewMetrics answers.
var metricsPaths = []string{"/healthz", "/readyz", "/metrics"}

const maxScrapes = 4 // of /metrics at a time

// NewMetrics returns the protocol for health, readiness and metrics, for a port of its own: in plain text, for
// everybody, and without data.
func NewMetrics(core *server.Server) *API {
	a := newAPI(core, "metrics")
	a.http = a.newHTTP(a.metrics())
	return a
}

func (a *API) metrics() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", a.getReady)
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.o.Registry, promhttp.HandlerOpts{ErrorLog: scrapeLog{a.core}, MaxRequestsInFlight: maxScrapes, EnableOpenMetrics: true}))
	mux.HandleFunc("/", nothingHere("GET /healthz, /readyz or /metrics; look-ups have a port of their own (serve.http)"))
	return mux
}

// scrapeLog takes what goes wrong in showing metrics, a client that goes away included: no more often than requests.
type scrapeLog struct{ core *server.Server }

// Println implements promhttp.Logger.
func (l scrapeLog) Println(what ...any) {
	l.core.Failed("metrics", "metrics could not be shown", "error", fmt.Sprint(what...))
}

// getReady answers whether the server is ready, until it drains.
func (a *API) getReady(w http.ResponseWriter, _ *http.Request) {
	select {
	case <-a.core.Draining():
		writeText(w, http.StatusServiceUnavailable, "draining\n")
		return
	default:
	}
	if waits := a.core.Unready(); waits != "" {
		writeText(w, http.StatusServiceUnavailable, waits+"\n")
		return
	}
	writeText(w, http.StatusOK, "ready\n")
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
