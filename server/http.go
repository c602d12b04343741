package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fstore-dev/fstore"
)

// Times that a client may take, so that idle and slow ones do not pile up.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 3 * time.Minute
)

const onlineFeaturesPath = "/v1/online-features"

func (s *Server) newHTTP(ctx context.Context) *http.Server {
	return &http.Server{
		Handler:           s.closing(s.guarded(s.hosts.check(s.routes()))),
		ConnState:         s.web.changed,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for path, answer := range map[string]http.HandlerFunc{onlineFeaturesPath: s.postOnlineFeatures, describePath: s.postDescribe} {
		mux.HandleFunc("POST "+path, answer)
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", http.MethodPost)
			writeError(w, http.StatusMethodNotAllowed, "INVALID_ARGUMENT", "the method must be POST", "")
		})
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", s.getReady)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{ErrorLog: scrapeLog{s}, MaxRequestsInFlight: maxScrapes}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, "NOT_FOUND", "there is nothing at this path",
			"POST "+onlineFeaturesPath+", POST "+describePath+", or GET /healthz, /readyz, /metrics")
	})
	return mux
}

// guarded answers a panic of a handler with INTERNAL, where nothing was answered yet. Look-ups have run for that.
func (s *Server) guarded(answer http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				s.panicked(method{"http", r.URL.Path}, p)
				writeError(w, internal.http, internal.name, internal.says, "")
			}
		}()
		answer.ServeHTTP(w, r)
	})
}

// scrapeLog takes what goes wrong in showing metrics, a client that goes away included: no more often than requests.
type scrapeLog struct{ server *Server }

// Println implements promhttp.Logger.
func (l scrapeLog) Println(what ...any) {
	l.server.failures.log(l.server.clock(), "metrics", "metrics could not be shown", "error", fmt.Sprint(what...))
}

func (s *Server) postOnlineFeatures(w http.ResponseWriter, r *http.Request) {
	buf := buffers.Get(0)
	defer buffers.Put(buf)
	s.answerJSON(w, r, httpGet, func(ctx context.Context, req *jsonRequest, h *hold) ([]byte, error) {
		t, err := s.named(req)
		if err != nil {
			return nil, err
		}
		keys, err := req.columns(t, s.store.Limits.MaxRows)
		if err != nil {
			return nil, err
		}
		answer, err := s.lookup(ctx, t, keys, req.events, h)
		if err != nil {
			return nil, err
		}
		keys = slices.DeleteFunc(keys, func(c fstore.Column) bool { return !t.needs(c.Name) })
		if *buf, err = appendAnswerJSON((*buf)[:0], keys, t.list, answer, s.store.Limits.MaxAnswerBytes); err != nil {
			return nil, err
		}
		return *buf, h.to(int64(cap(*buf)))
	})
}

// named returns what a request names.
func (s *Server) named(req *jsonRequest) (*target, error) {
	if req.model.Name != "" {
		return s.resolveModel(req.model)
	}
	return s.resolve(req.service, req.features)
}

// answerJSON does one request with a body of JSON, and sends the bytes that answer returns, which may be used again
// once it has returned. The hold has the request's bytes.
func (s *Server) answerJSON(w http.ResponseWriter, r *http.Request, m method, answer func(context.Context, *jsonRequest, *hold) ([]byte, error)) {
	if !isJSON(r) {
		writeError(w, http.StatusUnsupportedMediaType, "INVALID_ARGUMENT", "the request's Content-Type is "+quoted(r.Header.Get("Content-Type")), "send Content-Type: application/json")
		return
	}
	arriving, h := hold{budget: &s.arriving}, hold{budget: &s.inFlight}
	defer h.release()
	var out []byte
	refused := s.run(r.Context(), m, func(ctx context.Context) error {
		defer arriving.release()
		body, err := s.readBody(w, r, &arriving)
		if err != nil {
			return err
		}
		size, err := sizeOfJSON(body)
		if err != nil {
			return err
		}
		if err := h.to(size); err != nil {
			return err
		}
		req, err := decodeRequest(body)
		if err != nil {
			return err
		}
		out, err = answer(ctx, req, &h)
		return err
	})
	if refused != nil {
		writeError(w, refused.http, refused.name, refused.message, refused.hint)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(out)))
	_, _ = w.Write(out) // a client that went away is nobody's error
}

// readBody reads the body of a request. The hold takes its bytes as they arrive.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, h *hold) ([]byte, error) {
	if how := r.Header.Get("Content-Encoding"); how != "" && how != "identity" {
		return nil, fstore.Errorf(fstore.ErrInvalid, "the body is encoded as %s", how).WithHint("send it as it is")
	}
	defer context.AfterFunc(s.late, func() { _ = http.NewResponseController(w).SetReadDeadline(time.Unix(0, 1)) })() // it has passed
	from := http.MaxBytesReader(w, r.Body, int64(s.maxRequestBytes))
	body := make([]byte, 0, firstRead)
	for {
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		var tooLarge *http.MaxBytesError
		switch {
		case err == io.EOF:
			return body, nil
		case errors.As(err, &tooLarge):
			return nil, fstore.Errorf(fstore.ErrTooLarge, "the body has more than %d bytes", tooLarge.Limit).WithHint("ask for fewer rows at a time")
		case err != nil && s.late.Err() != nil:
			return nil, errDraining
		case err != nil:
			return nil, fstore.Errorf(fstore.ErrInvalid, "the body did not arrive: %v", err)
		}
		if len(body) == cap(body) {
			if err := h.to(int64(2 * cap(body))); err != nil {
				return nil, err
			}
			body = slices.Grow(body, cap(body))
		}
	}
}

const (
	firstRead  = 4 << 10 // bytes; most bodies have fewer
	maxScrapes = 4       // of /metrics at a time
)

// errorBody is the body of every answer that is an error.
type errorBody struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Hint    string `json:"hint,omitempty"`
	} `json:"error"`
}

func writeError(w http.ResponseWriter, status int, code, message, hint string) {
	var body errorBody
	body.Error.Code, body.Error.Message, body.Error.Hint = code, message, hint
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that went away is nobody's error
}

// quoted returns what a caller sent as a short text in quotes.
func quoted(s string) string { return strconv.Quote(shorten(s)) }

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
