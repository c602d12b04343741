package redis

import (
	"crypto/tls"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
	driver "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// location is what a URL says.
type location struct {
	servers  driver.Options // of the server, or of every server that the sentinels name
	files    tlsFiles
	sentinel *sentinelLocation // nil: one server
}

type sentinelLocation struct {
	addrs          []string
	primary        string // the name that the sentinels know the primary by
	user, password string
	readReplicas   bool
}

// CheckURL returns the error that Open would return for a URL, without reading files.
func CheckURL(url string) error {
	_, err := parse(url)
	return err
}

// mistake is an error in a URL. It never repeats a part of the URL that may be a password.
func mistake(format string, args ...any) *fstore.Error {
	return fstore.Errorf(fstore.ErrInvalid, "the online store's URL "+format, args...)
}

const (
	serverForm   = "redis://[user:password@]host:6379/0, rediss:// for TLS, or unix:///path/to/socket?db=0; write special characters in the password as %HH"
	sentinelForm = "redis+sentinel://[user:password@]host1:26379,host2:26379/PRIMARY/0, or rediss+sentinel:// for TLS; write special characters in the password as %HH"
)

// schemes gives the driver's scheme of each scheme.
var schemes = map[string]string{"redis": "redis", "rediss": "rediss", "unix": "unix", "redis+sentinel": "redis", "rediss+sentinel": "rediss"}

// parse reads a URL. Its errors are ErrInvalid.
func parse(raw string) (*location, error) {
	scheme, rest, _ := strings.Cut(raw, "://")
	driverScheme, ok := schemes[scheme]
	if !ok {
		return nil, mistake("has a scheme that is not one of Redis").WithHint("%s", serverForm)
	}
	l, form := &location{}, serverForm
	rest, query, _ := strings.Cut(rest, "?")
	if strings.HasSuffix(scheme, "+sentinel") {
		form = sentinelForm
		var err error
		if rest, err = l.cutSentinels(rest); err != nil {
			return nil, err
		}
	}
	values, err := url.ParseQuery(query)
	switch {
	case strings.Contains(query, "@"):
		return nil, mistake("has an @ after its first ?, where its options begin").WithHint("write @ and ? in a password as %%40 and %%3F")
	case err != nil:
		return nil, mistake("has options that cannot be read").WithHint("write them as ?name=value&name=value, with special characters as %%HH")
	}
	if err := l.takeOptions(values, driverScheme == "rediss"); err != nil {
		return nil, err
	}
	if err := knownOptions(values); err != nil {
		return nil, err
	}
	o, err := driver.ParseURL(driverScheme + "://" + rest + "?" + values.Encode())
	switch {
	case err != nil:
		return nil, mistake("is not a valid Redis URL").WithHint("%s", form)
	case o.DB < 0:
		return nil, mistake("names a database below 0").WithHint("%s", form)
	case o.Network == "tcp" && !isPort(o.Addr):
		return nil, mistake("has a port that is not 1 to 65535").WithHint("%s", form)
	}
	l.servers = *o
	return l, nil
}

// primaryName matches the names that a Sentinel takes.
var primaryName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// cutSentinels reads user, sentinels and the primary's name, and returns what a URL of one server would have.
func (l *location) cutSentinels(rest string) (string, error) {
	hosts, path, _ := strings.Cut(rest, "/")
	at := strings.LastIndex(hosts, "@") + 1
	user, hosts := hosts[:at], hosts[at:]
	l.sentinel = &sentinelLocation{}
	for i, host := range strings.Split(hosts, ",") {
		addr, ok := withPort(host)
		if !ok {
			return "", mistake("does not give sentinel %d as host:port, with a port of 1 to 65535", i+1).WithHint("%s", sentinelForm)
		}
		l.sentinel.addrs = append(l.sentinel.addrs, addr)
	}
	name, db, _ := strings.Cut(strings.TrimSuffix(path, "/"), "/")
	switch {
	case name == "":
		return "", mistake("does not name the primary, which the sentinels may know several of").WithHint("%s", sentinelForm)
	case !primaryName.MatchString(name):
		return "", mistake("has a primary's name that no Sentinel takes: it may have letters, digits, dots, dashes and underscores").WithHint("%s", sentinelForm)
	}
	if n, err := strconv.ParseUint(db, 10, 31); db != "" && (err != nil || strconv.FormatUint(n, 10) != db) {
		return "", mistake("does not end in the number of a database").WithHint("%s", sentinelForm)
	}
	l.sentinel.primary = name
	return user + "sentinel:1/" + db, nil
}

// withPort returns the address of a sentinel, whose port may be left out.
func withPort(host string) (string, bool) {
	if !strings.Contains(strings.TrimSuffix(host[strings.LastIndex(host, "]")+1:], "]"), ":") {
		host += ":26379"
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil || name == "" || strings.ContainsAny(name, " /?#[]") || !isPort(host) {
		return "", false
	}
	return net.JoinHostPort(name, port), true
}

// isPort reports whether an address ends in a port number.
func isPort(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	n, wrong := strconv.ParseUint(port, 10, 16)
	return err == nil && wrong == nil && n > 0
}

// takeOptions reads the options that are not the driver's, and removes them.
func (l *location) takeOptions(values url.Values, secure bool) error {
	take := func(name string) string {
		value := values.Get(name)
		delete(values, name)
		return value
	}
	l.files = tlsFiles{ca: take("tls_ca"), cert: take("tls_cert"), key: take("tls_key"), serverName: take("tls_server_name")}
	switch {
	case values.Has("skip_verify"):
		return mistake("has skip_verify, which would trust any server with the password and the features").
			WithHint("name the authority of the server's certificate instead: ?tls_ca=ca.pem")
	case l.files != tlsFiles{} && !secure:
		return mistake("has tls_… options but no TLS").WithHint("begin it with rediss:// or rediss+sentinel://")
	case (l.files.cert == "") != (l.files.key == ""):
		return mistake("has one of tls_cert and tls_key without the other").WithHint("a client certificate needs both: ?tls_cert=client.pem&tls_key=client.key")
	}
	from, user, password := take("read_from"), take("sentinel_username"), take("sentinel_password")
	switch {
	case from != "" && from != "primary" && from != "replica":
		return mistake("has a read_from that is neither primary nor replica").WithHint("?read_from=replica, or leave it out")
	case l.sentinel == nil && from == "replica":
		return mistake("has read_from=replica but no sentinels, which know the replicas").WithHint("%s", sentinelForm)
	case l.sentinel == nil && (user != "" || password != ""):
		return mistake("has sentinel_username or sentinel_password but no sentinels").WithHint("%s", sentinelForm)
	case user != "" && password == "":
		return mistake("has a sentinel_username without a sentinel_password").WithHint("give both, or neither")
	}
	if l.sentinel != nil {
		l.sentinel.user, l.sentinel.password, l.sentinel.readReplicas = user, password, from == "replica"
	}
	return nil
}

// driverOptions are the options that the driver reads.
var driverOptions = []string{
	"db", "protocol", "client_name", "max_retries", "min_retry_backoff", "max_retry_backoff", "dial_timeout", "read_timeout", "write_timeout",
	"pool_fifo", "pool_size", "pool_timeout", "min_idle_conns", "max_idle_conns", "max_active_conns", "conn_max_idle_time", "conn_max_lifetime",
	"conn_max_lifetime_jitter", "max_concurrent_dials",
}

// ownOptions are those that fstore reads.
var ownOptions = []string{"read_from", "tls_ca", "tls_cert", "tls_key", "tls_server_name", "sentinel_username", "sentinel_password"}

// IsOption reports whether a URL may have an option of a name.
func IsOption(name string) bool {
	return slices.Contains(driverOptions, name) || slices.Contains(ownOptions, name)
}

// knownOptions returns an error for an option that does not exist. It names one that looks like one that does exist:
// any other may be a part of a password.
func knownOptions(values url.Values) error {
	all := slices.Concat(ownOptions, driverOptions)
	for name := range values {
		if IsOption(name) {
			continue
		}
		if near := fstore.DidYouMean(name, all); near != "" {
			return mistake("has the option %s, which does not exist", name).WithHint("%s", near)
		}
		return mistake("has an option that does not exist").
			WithHint("there are %s, and of go-redis %s; write ? and & in a password as %%3F and %%26", strings.Join(ownOptions, ", "), strings.Join(driverOptions, ", "))
	}
	return nil
}

// settle sets what fstore relies on.
func settle(o *driver.Options) {
	o.ContextTimeoutEnabled = true
	o.MaxRetries = -1 // a commit sent again would lack its WATCH
	o.DialerRetries = 1
	o.PipelinePoolSize = -1 // no pool of its own: pool_size is the number of connections
	o.Protocol = 2
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// sentinelTimeout bounds what one sentinel may take, and sentinelGrace what the others may take after it.
const (
	sentinelTimeout = time.Second
	sentinelGrace   = 100 * time.Millisecond
)

// options returns the driver's options for a sentinel.
func (s *sentinelLocation) options(addr string) *driver.Options {
	o := &driver.Options{
		Addr: addr, Username: s.user, Password: s.password, PoolSize: 4,
		DialTimeout: sentinelTimeout, ReadTimeout: sentinelTimeout, WriteTimeout: sentinelTimeout,
	}
	settle(o)
	return o
}

// tlsConfig returns the configuration for a URL with TLS, or nil.
func (l *location) tlsConfig() *tls.Config {
	config := l.servers.TLSConfig
	if config != nil && l.sentinel != nil {
		config.ServerName = "" // that of each server, once it is known
	}
	if config != nil && l.files.serverName != "" {
		config.ServerName = l.files.serverName
	}
	return config
}
