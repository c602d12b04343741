package project

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server/access"
)

// keysURL reads a JSON Web Key Set from a URL.
type keysURL struct {
	url    string
	client *http.Client
}

// keysTimeout bounds one read, from dialing to the last byte.
const keysTimeout = 5 * time.Second

func newKeysURL(address string) *keysURL {
	return &keysURL{address, &http.Client{
		Timeout:       keysTimeout,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxResponseHeaderBytes: 64 << 10, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// read returns the text of the key set. It follows no redirect: whoever could redirect it could choose the keys. Every
// error is ErrUnavailable, because another attempt may succeed.
func (k *keysURL) read(ctx context.Context) ([]byte, error) {
	bad := func(format string, args ...any) error {
		return fstore.Errorf(fstore.ErrUnavailable, "%s: %s", k.url, fmt.Sprintf(format, args...))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, bad("%v", err)
	}
	request.Header.Set("Accept", "application/json")
	answer, err := k.client.Do(request)
	if err != nil {
		return nil, bad("%v", cause(err))
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, bad("the answer is %s; it must be 200 OK, without a redirect", answer.Status)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, access.MaxKeySet+1))
	switch {
	case err != nil:
		return nil, bad("%v", cause(err))
	case len(text) > access.MaxKeySet:
		return nil, bad("the answer has more than %d bytes", access.MaxKeySet)
	}
	return text, nil
}

// cause returns what went wrong beneath a client's error, which repeats the URL.
func cause(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
