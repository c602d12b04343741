package httpapi

import (
	"crypto/x509"
	"net/http"
	"slices"

	"github.com/fstore-dev/fstore/server"
)

// enter identifies the caller of every request by its headers, before its body has arrived.
func (a *API) enter(answer http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := server.Presented{Authorization: r.Header.Values("Authorization"), Certificate: certificateOf(r), Address: r.RemoteAddr}
		ctx, refused := a.core.Enter(a.o.Tracer.Remote(r.Context(), r.Header), a.methodOf(r.URL.Path), doorOf(r.URL.Path), p)
		if refused != nil {
			if refused.HTTP == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", "Bearer")
			}
			refuse(w, refused)
			return
		}
		answer.ServeHTTP(w, r.WithContext(ctx))
	})
}

// doorOf returns the door of a path. Everybody is told where health and metrics are.
func doorOf(path string) server.Door {
	if slices.Contains(metricsPaths, path) {
		return server.Open
	}
	return server.Locked
}

// methodOf returns how metrics name a path. Callers make up paths, so all others are one.
func (a *API) methodOf(path string) server.Method {
	switch path {
	case onlineFeaturesPath:
		return httpGet
	case describePath:
		return httpDescribe
	}
	if m, ok := a.also[path]; ok {
		return m.Method
	}
	return server.Method{Transport: "http", Name: "other"}
}

// certificateOf returns the verified certificate of a request's client; nil if it has none.
func certificateOf(r *http.Request) *x509.Certificate {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return nil
	}
	return r.TLS.VerifiedChains[0][0]
}
