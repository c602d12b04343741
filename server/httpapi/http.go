package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server"
)

// Times that a client may take, so that idle and slow ones do not pile up.
const (
	bodyTimeout  = 30 * time.Second
	writeTimeout = 60 * time.Second
	idleTimeout  = 3 * time.Minute
)

const onlineFeaturesPath = "/v1/online-features"

// newHTTP returns the HTTP server. It speaks HTTP/1.1 alone: the bounds count its connections.
func (a *API) newHTTP(routes http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Protocols:                    protocols,
		DisableGeneralOptionsHandler: true, // it would answer OPTIONS * before hosts and doors are checked
		Handler:                      a.closing(a.guarded(a.hosts.check(routes))),
		ConnState:                    a.web.changed,
		ReadHeaderTimeout:            a.o.HeaderTimeout,
		ReadTimeout:                  bodyTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               server.MaxHeaderBytes,
		ErrorLog:                     slog.NewLogLogger(a.o.Logger.Handler(), slog.LevelDebug),
	}
}

// nothingHere answers requests for paths that there are not.
func nothingHere(hint string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, http.StatusNotFound, "NOT_FOUND", "there is nothing at this path", hint)
	}
}

// lookups answers what New answers.
func (a *API) lookups() http.Handler {
	mux := http.NewServeMux()
	answers := map[string]http.HandlerFunc{onlineFeaturesPath: a.postOnlineFeatures, describePath: a.postDescribe}
	for path, m := range a.also {
		answers[path] = func(w http.ResponseWriter, r *http.Request) { a.answerJSON(w, r, m.Method, m.New()) }
	}
	for path, answer := range answers {
		mux.HandleFunc("POST "+path, answer)
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", http.MethodPost)
			writeError(w, http.StatusMethodNotAllowed, "INVALID_ARGUMENT", "the method must be POST", "")
		})
	}
	for _, path := range metricsPaths {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			writeError(w, http.StatusNotFound, "NOT_FOUND", "health and metrics have a port of their own", strings.TrimSpace("GET "+path+" at the address of serve.metrics "+a.o.Metrics))
		})
	}
	mux.HandleFunc("/", nothingHere("POST "+onlineFeaturesPath+" or POST "+describePath))
	return a.enter(mux)
}

// guarded answers a panic of a handler with INTERNAL, where nothing was answered yet. Look-ups have run for that.
func (a *API) guarded(answer http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				a.core.Panicked(server.Method{Transport: "http", Name: r.URL.Path}, p)
				writeError(w, server.Fault.HTTP, server.Fault.Name, server.Fault.Message, "")
			}
		}()
		answer.ServeHTTP(w, r)
	})
}

func (a *API) postOnlineFeatures(w http.ResponseWriter, r *http.Request) {
	a.answerJSON(w, r, httpGet, &jsonCall{answer: func(ctx context.Context, req *jsonRequest, h *server.Hold) (*[]byte, error) {
		t, err := a.named(ctx, req)
		if err != nil {
			return nil, err
		}
		keys, err := req.columns(t, a.o.Store.Limits.MaxRows)
		if err != nil {
			return nil, err
		}
		answer, err := a.core.Lookup(ctx, t, keys, req.events, h)
		if err != nil {
			return nil, err
		}
		defer answer.Release()
		keys = slices.DeleteFunc(keys, func(c fstore.Column) bool { return !t.Reads(c.Name) })
		text, err := a.core.Written(ctx, h, func(dst []byte) ([]byte, error) {
			return appendAnswerJSON(dst, keys, t.List, answer, a.o.Store.Limits.MaxAnswerBytes)
		})
		if err == nil {
			a.core.LogServed(ctx, t, keys, answer)
		}
		return text, err
	}})
}

// named returns what a request names.
func (a *API) named(ctx context.Context, req *jsonRequest) (*server.Target, error) {
	if req.model.Name != "" {
		return a.core.ResolveModel(ctx, req.model)
	}
	return a.core.Resolve(ctx, req.service, req.features)
}

// jsonCall is a call whose request is a jsonRequest.
type jsonCall struct {
	body   []byte
	answer func(context.Context, *jsonRequest, *server.Hold) (*[]byte, error)
}

// Take implements server.LookupCall.
func (c *jsonCall) Take(request []byte, h *server.Hold) error {
	c.body = request
	size, err := bodies.Size(request)
	if err != nil {
		return err
	}
	return h.To(size)
}

// Answer implements server.LookupCall.
func (c *jsonCall) Answer(ctx context.Context, h *server.Hold) (*[]byte, error) {
	req, err := decodeRequest(c.body)
	if err != nil {
		return nil, err
	}
	return c.answer(ctx, req, h)
}

// answerJSON does one call with a body of JSON, and sends its answer.
func (a *API) answerJSON(w http.ResponseWriter, r *http.Request, m server.Method, do server.LookupCall) {
	if !isJSON(r) {
		writeError(w, http.StatusUnsupportedMediaType, "INVALID_ARGUMENT", "the request's Content-Type is "+quoted(r.Header.Get("Content-Type")), "send Content-Type: application/json")
		return
	}
	call, refused := a.core.Admit(r.Context(), m, callerOf(r))
	if refused != nil {
		refuse(w, refused)
		return
	}
	arriving, h := server.NewHold(a.core.Arriving()), server.NewHold(a.core.InFlight())
	defer h.Release()
	var out *[]byte
	refused = a.core.Run(r.Context(), m, call, func(ctx context.Context) error {
		defer arriving.Release()
		body, hurried, err := a.readBody(w, r, &arriving)
		if err != nil {
			return err
		}
		if hurried {
			var cancel context.CancelFunc
			ctx, cancel = withDeadlineOf(ctx)
			defer cancel()
		}
		if err := do.Take(body, &h); err != nil {
			return err
		}
		if err := call.Begin(ctx); err != nil {
			return err
		}
		out, err = do.Answer(ctx, &h)
		return err
	})
	if refused != nil {
		refuse(w, refused)
		return
	}
	defer server.Buffers.Put(out)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(*out)))
	if stale := server.StaleOf(do); stale != "" {
		w.Header().Set(server.StaleHeader, stale)
	}
	_, _ = w.Write(*out) // a client that went away is nobody's error
}

// refuse answers a request that failed.
func refuse(w http.ResponseWriter, r *server.Refusal) {
	if r.Retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(r.Retry.Seconds()))))
	}
	writeError(w, r.HTTP, r.Name, r.Message, r.Hint)
}

// callerOf returns who sends a request.
func callerOf(r *http.Request) server.Caller {
	c := server.CallerOf(r.Context())
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil && c.Address == "" {
		c.Address = host
	}
	return c
}

// readBody reads the body of a request. The hold takes its bytes as they arrive. hurried: the read deadline has passed, or will have at
// any moment, because the server drains. Package net/http goes on reading the connection after the body, and takes the deadline for a
// caller that went away: it cancels the request's context.
func (a *API) readBody(w http.ResponseWriter, r *http.Request, h *server.Hold) (body []byte, hurried bool, err error) {
	if how := r.Header.Get("Content-Encoding"); how != "" && how != "identity" {
		return nil, false, fstore.Errorf(fstore.ErrInvalid, "the body is encoded as %s", how).WithHint("send it as it is")
	}
	stop := context.AfterFunc(a.late, func() { _ = http.NewResponseController(w).SetReadDeadline(time.Unix(0, 1)) }) // it has passed
	defer func() { hurried = !stop() }()
	from := http.MaxBytesReader(w, r.Body, int64(a.o.MaxRequestBytes))
	body = make([]byte, 0, firstRead)
	for {
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		var tooLarge *http.MaxBytesError
		switch {
		case err == io.EOF:
			return body, false, nil
		case errors.As(err, &tooLarge):
			return nil, false, fstore.Errorf(fstore.ErrTooLarge, "the body has more than %d bytes", tooLarge.Limit).WithHint("ask for fewer rows at a time")
		case err != nil && a.late.Err() != nil:
			return nil, false, server.ErrDraining
		case err != nil:
			return nil, false, fstore.Errorf(fstore.ErrInvalid, "the body did not arrive: %v", err)
		}
		if len(body) == cap(body) {
			if err := h.To(int64(2 * cap(body))); err != nil {
				return nil, false, err
			}
			body = slices.Grow(body, cap(body))
		}
	}
}

// withDeadlineOf returns a context that ends at the deadline of ctx, and not with ctx.
func withDeadlineOf(ctx context.Context) (context.Context, context.CancelFunc) {
	at, ok := ctx.Deadline()
	if ctx = context.WithoutCancel(ctx); !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, at)
}

const firstRead = 4 << 10 // bytes; most bodies have fewer

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
func quoted(s string) string { return strconv.Quote(server.Shorten(s)) }
