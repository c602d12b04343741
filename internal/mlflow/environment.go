package mlflow

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/certfile"
)

// Options say where the variables of the environment come from, and where credentials go.
type Options struct {
	Lookup func(name string) (value string, ok bool)
	Secret func(secret string) // receives every credential before an error can repeat it
}

// The variables, as MLflow's own client reads them.
const (
	trackingURI = "MLFLOW_TRACKING_URI"
	registryURI = "MLFLOW_REGISTRY_URI" // of the model registry, if it is another server
	username    = "MLFLOW_TRACKING_USERNAME"
	password    = "MLFLOW_TRACKING_PASSWORD" //nolint:gosec // G101: a name
	token       = "MLFLOW_TRACKING_TOKEN"    //nolint:gosec // G101: a name
	insecure    = "MLFLOW_TRACKING_INSECURE_TLS"
	serverCA    = "MLFLOW_TRACKING_SERVER_CERT_PATH"
	clientCert  = "MLFLOW_TRACKING_CLIENT_CERT_PATH"
	workspace   = "MLFLOW_WORKSPACE"
	timeout     = "MLFLOW_HTTP_REQUEST_TIMEOUT" // seconds
)

// defaultTimeout bounds one call, from dialing to the last byte.
const defaultTimeout = 30 * time.Second

// New returns a client of the server that the environment names. It does not connect.
func New(o Options) (*Client, error) {
	get := func(name string) string {
		value, _ := o.Lookup(name)
		return value
	}
	base, err := address(get)
	if err != nil {
		return nil, err
	}
	c := &Client{base: base}
	if c.header, err = header(base.User, get, o.Secret); err != nil {
		return nil, err
	}
	base.User = nil
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, MaxResponseHeaderBytes: 64 << 10}
	if transport.TLSClientConfig, err = tlsConfig(get); err != nil {
		return nil, err
	}
	c.http = &http.Client{
		Transport: transport,
		Timeout:   defaultTimeout,
		// A redirect would take the credentials elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if text := get(timeout); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < 1 || seconds > 24*60*60 {
			return nil, fstore.Errorf(fstore.ErrUsage, "%s=%s: it is a number of seconds, at least 1", timeout, text)
		}
		c.http.Timeout = time.Duration(seconds) * time.Second
	}
	return c, nil
}

func address(get func(string) string) (*url.URL, error) {
	name := registryURI
	if get(name) == "" {
		name = trackingURI
	}
	text := get(name)
	if text == "" {
		return nil, fstore.Errorf(fstore.ErrUsage, "%s is not set: it is the address of the MLflow server", trackingURI).
			WithHint("export %s=http://127.0.0.1:5000", trackingURI)
	}
	u, err := url.Parse(text)
	if err != nil { // its error repeats the text, which may have a password
		return nil, fstore.Errorf(fstore.ErrUsage, "%s is not a URL", name).WithHint("such as http://127.0.0.1:5000")
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fstore.Errorf(fstore.ErrUsage, "%s=%s is not the address of a server", name, u.Redacted()).
			WithHint("name an MLflow server (http://127.0.0.1:5000); for other stores, call fstore.mlflow.pin in Python")
	}
	u.RawQuery, u.Fragment = "", ""
	return u, nil
}

// header returns what every request carries. A user and a password come before a token, as in MLflow.
func header(user *url.Userinfo, get func(string) string, secret func(string)) (http.Header, error) {
	out := http.Header{"Accept": {"application/json"}}
	if name := get(workspace); name != "" {
		out.Set("X-Mlflow-Workspace", name)
	}
	name, pass, bearer := get(username), get(password), get(token)
	if name == "" && pass == "" && user != nil {
		name = user.Username()
		pass, _ = user.Password()
	}
	secret(pass)
	secret(bearer)
	switch {
	case name != "" && pass != "":
		r := http.Request{Header: out}
		r.SetBasicAuth(name, pass)
	case bearer != "":
		out.Set("Authorization", "Bearer "+bearer)
	case name != "" || pass != "":
		return nil, fstore.Errorf(fstore.ErrUsage, "only one of %s and %s is set", username, password).WithHint("set both")
	}
	return out, nil
}

// tlsConfig returns how to check the server's certificate, and the client's own.
func tlsConfig(get func(string) string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	switch text := strings.ToLower(get(insecure)); text {
	case "", "false", "0":
	case "true", "1":
		config.InsecureSkipVerify = true // as the user asked
	default:
		return nil, fstore.Errorf(fstore.ErrUsage, "%s=%s: true or false", insecure, text)
	}
	if path := get(serverCA); path != "" && config.InsecureSkipVerify {
		return nil, fstore.Errorf(fstore.ErrUsage, "%s and %s are both set", insecure, serverCA).WithHint("unset one of them")
	} else if path != "" {
		pool, err := certfile.Pool(path, time.Time{})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", serverCA, err)
		}
		config.RootCAs = pool
	}
	if path := get(clientCert); path != "" { // certificate and key in one file
		pair, err := certfile.Pair(path, path, time.Time{})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", clientCert, err)
		}
		config.Certificates = []tls.Certificate{*pair}
	}
	return config, nil
}
