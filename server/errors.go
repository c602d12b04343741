package server

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/codes"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/server/admission"
)

// class says how both protocols report a kind of error. If says is not empty, it is the message for the caller, and
// the error itself goes to the log.
type class struct {
	kind error
	code codes.Code
	name string // the canonical name of code, as HTTP answers and metrics have it
	http int
	says string
}

// classes is the only table from kinds of errors to gRPC codes and HTTP statuses. The first matching kind counts:
// ErrUnusable wraps an ErrInvalid that is not the caller's. The client maps a code to the first kind with that code.
var classes = []class{
	{fstore.ErrUnavailable, codes.Unavailable, "UNAVAILABLE", http.StatusServiceUnavailable, storeAway},
	{online.ErrUnusable, codes.Unavailable, "UNAVAILABLE", http.StatusServiceUnavailable, storeAway},
	{errNoCatalog, codes.Unavailable, "UNAVAILABLE", http.StatusServiceUnavailable, "the server has not read the registry yet; try again"},
	{fstore.ErrInvalid, codes.InvalidArgument, "INVALID_ARGUMENT", http.StatusBadRequest, ""},
	{fstore.ErrUnauthenticated, codes.Unauthenticated, "UNAUTHENTICATED", http.StatusUnauthorized, ""},
	{fstore.ErrForbidden, codes.PermissionDenied, "PERMISSION_DENIED", http.StatusForbidden, ""},
	{fstore.ErrNotFound, codes.NotFound, "NOT_FOUND", http.StatusNotFound, ""},
	{fstore.ErrNotReady, codes.FailedPrecondition, "FAILED_PRECONDITION", http.StatusConflict, ""},
	{fstore.ErrTooLarge, codes.ResourceExhausted, "RESOURCE_EXHAUSTED", http.StatusRequestEntityTooLarge, ""},
	{fstore.ErrBusy, codes.ResourceExhausted, "RESOURCE_EXHAUSTED", http.StatusTooManyRequests, ""},
	{errStreams, codes.ResourceExhausted, "RESOURCE_EXHAUSTED", http.StatusTooManyRequests, "the server has too many streams open; try again"},
	{ErrBusy, codes.ResourceExhausted, "RESOURCE_EXHAUSTED", http.StatusTooManyRequests, "the server has too many requests and answers in flight (serve.max_in_flight); try again"},
	{ErrDraining, codes.Unavailable, "UNAVAILABLE", http.StatusServiceUnavailable, "the server is shutting down; try again"},
	{fstore.ErrConflict, codes.Aborted, "ABORTED", http.StatusConflict, ""},
	{fstore.ErrCorrupt, codes.DataLoss, "DATA_LOSS", http.StatusInternalServerError, "the online store has unreadable data; the server's log has details"},
	{ErrDamaged, codes.DataLoss, "DATA_LOSS", http.StatusInternalServerError, ""},
	{ErrAway, codes.Unavailable, "UNAVAILABLE", http.StatusServiceUnavailable, ""},
	{fstore.ErrCheck, codes.FailedPrecondition, "FAILED_PRECONDITION", http.StatusConflict, ""},
	{context.DeadlineExceeded, codes.DeadlineExceeded, "DEADLINE_EXCEEDED", http.StatusGatewayTimeout, "the deadline passed before the answer was ready"},
	{context.Canceled, codes.Canceled, "CANCELLED", statusClientClosed, "the caller went away"},
}

const storeAway = "the online store cannot answer now; try again"

// internal is the class of every other error.
var internal = class{nil, codes.Internal, "INTERNAL", http.StatusInternalServerError, "a fault in the server; its log has details"}

// statusClientClosed is what proxies log where a client closes the connection first; nobody receives it.
const statusClientClosed = 499

// The kinds of errors of offline work whose messages are for the caller.
var (
	ErrDamaged = errors.New("a file is not what it was")
	ErrAway    = errors.New("something that is needed cannot be reached")
)

// errNoCatalog is the answer before a registry was ever read.
var errNoCatalog = errors.New("no catalog is loaded")

// maxMessage bounds the message of an answer, which may quote the request.
const maxMessage = 1000

// ErrDraining is the error for a request that had not arrived in full when the server was told to stop.
var ErrDraining = errors.New("the server is shutting down")

// Refusal is an error as callers see it, in any protocol.
type Refusal struct {
	Code    codes.Code
	Name    string // the canonical name of Code, as HTTP answers and metrics have it
	HTTP    int    // HTTP's status
	Message string
	Hint    string        // what would be right, or the command to run; may be empty
	Retry   time.Duration // after which the same request may succeed; 0 where the server cannot tell

	cause error // logged unless it is the caller's mistake
	ours  bool  // the caller cannot fix the request
	limit Limit // that the request was over; empty: it was over none
}

// Fault is the refusal for a fault of the server.
var Fault = &Refusal{Code: internal.code, Name: internal.name, HTTP: internal.http, Message: internal.says, ours: true}

// Overloaded is how most calls of an overload are refused. It is made once: such calls must cost little.
var Overloaded = Refuse(context.Background(), admission.Overloaded)

// Refuse returns how to answer a request that failed. ctx is the request's. An expired deadline or a canceled request
// takes precedence over the store's error.
func Refuse(ctx context.Context, err error) *Refusal {
	c := classify(ctx, err)
	r := &Refusal{Code: c.code, Name: c.name, HTTP: c.http, Message: c.says, cause: err, ours: c.says != ""}
	if c.code == codes.ResourceExhausted {
		r.Retry, r.limit = retryAfter(err), limitOf(err)
	}
	if r.ours {
		return r
	}
	r.Message = err.Error()
	var e *fstore.Error
	if errors.As(err, &e) && e.Hint != "" {
		r.Message, r.Hint = strings.TrimSuffix(r.Message, " ("+e.Hint+")"), Shorten(e.Hint)
	}
	r.Message = Shorten(r.Message)
	return r
}

// classify returns the class of an error. If the request's own time is over, that is the reason, whatever the store
// returned. A time-out of the store before that is the store's.
func classify(ctx context.Context, err error) class {
	c := classOf(err)
	if over := ctx.Err(); over != nil && c.says != "" {
		return classOf(over)
	}
	return c
}

func classOf(err error) class {
	for _, c := range classes {
		if errors.Is(err, c.kind) {
			return c
		}
	}
	return internal
}

// Shorten cuts a message to maxMessage bytes of valid UTF-8.
func Shorten(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxMessage {
		return s
	}
	cut := maxMessage
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// retryAfter returns when a request that was refused may succeed; 0 where that is not a matter of time.
func retryAfter(err error) time.Duration {
	var busy *admission.Busy
	switch {
	case errors.As(err, &busy):
		return busy.Retry
	case errors.Is(err, ErrBusy):
		return retryBytes
	}
	return 0
}

// retryBytes is when bytes that were in flight may have been sent.
const retryBytes = 100 * time.Millisecond

// callers reports whether the caller can fix the request, so that there is nothing to log.
func (r *Refusal) callers() bool { return !r.ours || r.Code == codes.Canceled }

// CheckText returns ErrCorrupt unless every string of a feature is UTF-8, as all protocols require. A damaged store
// may hold others.
func CheckText(c *fstore.Column) error {
	for i, s := range c.Strings {
		if !utf8.ValidString(s) {
			return fstore.Errorf(fstore.ErrCorrupt, "feature %s: string %d is not UTF-8", c.Name, i+1)
		}
	}
	return nil
}
