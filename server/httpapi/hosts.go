package httpapi

import (
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// A web page can make its own name resolve to this machine (DNS rebinding) and then call the HTTP port as if it were
// the page's own server. Such requests still carry that name as Host and Origin. So both must be names known to mean
// this server. Browsers do not speak gRPC without TLS, so the authority of gRPC calls is not checked.

// hosts checks which server a request is meant for.
type hosts []string

// known reports whether host, with a port or without, means this server: a name or address of loopback, one of the
// configured hosts, or the address that the request came in at.
func (h hosts) known(host string, local net.Addr) bool {
	name := hostName(host)
	if name == "localhost" || slices.Contains(h, name) {
		return true
	}
	ip, err := netip.ParseAddr(name)
	if err != nil {
		return false
	}
	ip = ip.Unmap()
	if ip.IsLoopback() {
		return true
	}
	at, ok := local.(*net.TCPAddr)
	return ok && at.AddrPort().Addr().Unmap().WithZone("") == ip
}

// hostName returns the name or address in a host, without the port, in lower case.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	} else if inner, ok := strings.CutPrefix(host, "["); ok {
		host, _ = strings.CutSuffix(inner, "]")
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// check answers only requests that are meant for this server and do not come from a page of another.
func (h hosts) check(answer http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if !h.known(r.Host, local) {
			writeError(w, http.StatusMisdirectedRequest, "PERMISSION_DENIED", "the request is for another host: "+quoted(r.Host),
				"ask for localhost or the address that the server listens on, or add the name to serve.hosts")
			return
		}
		for _, origin := range r.Header.Values("Origin") {
			if page, err := url.Parse(origin); err != nil || !h.known(page.Host, local) {
				writeError(w, http.StatusForbidden, "PERMISSION_DENIED", "the request comes from a page of another host: "+quoted(origin),
					"add the name to serve.hosts if its pages may ask")
				return
			}
		}
		answer.ServeHTTP(w, r)
	})
}

// isJSON reports whether a request says that its body is JSON. A form of another site's page cannot say so.
func isJSON(r *http.Request) bool {
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset, given := parameters["charset"]
	return err == nil && kind == "application/json" && (!given || strings.EqualFold(charset, "utf-8"))
}
