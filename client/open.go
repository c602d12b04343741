package client

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/certfile"
)

// TLS says how Open secures its connection. The files are PEM, and every new connection reads them again, so that
// renewed certificates need no restart.
type TLS struct {
	CA               string // file of the CAs that the server's certificate must come from; "" means those of the system
	Certificate, Key string // files of the client's own certificate with its chain, for servers that ask for one
	ServerName       string // name in the server's certificate; "" means the host of the address
}

// Open returns a client of the server at an address: HOST:PORT, or a target that gRPC resolves, such as
// dns:///fstore:6566. It does not wait for the server: the first call connects. The caller must close it. It returns
// ErrInvalid for a bad address, a file of Options.TLS that cannot be used, or a token that would be sent in plain text.
func Open(address string, o Options) (*Client, error) {
	target := address
	if !strings.Contains(address, "://") {
		target = "passthrough:///" + address
	}
	if err := o.checkToken(address); err != nil {
		return nil, err
	}
	secured, err := o.transport()
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(target, append([]grpc.DialOption{grpc.WithTransportCredentials(secured)}, o.Dial...)...)
	if err != nil {
		return nil, fstore.Errorf(fstore.ErrInvalid, "%s: %v", address, err)
	}
	c := New(conn, o)
	c.conn, c.address, c.plain = conn, address, o.sendsPlain(address)
	return c, nil
}

// transport returns the credentials of a connection: TLS or plain text.
func (o *Options) transport() (credentials.TransportCredentials, error) {
	if o.TLS == nil {
		return insecure.NewCredentials(), nil
	}
	config, err := o.TLS.config()
	if err != nil {
		return nil, err
	}
	return fromFiles{credentials.NewTLS(config), *o.TLS}, nil
}

// config reads the files.
func (t *TLS) config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	var anyTime time.Time // the handshake checks validity
	var err error
	if t.CA != "" {
		if config.RootCAs, err = certfile.Pool(t.CA, anyTime); err != nil {
			return nil, err
		}
	}
	if t.Certificate != "" || t.Key != "" {
		own, err := certfile.Pair(t.Certificate, t.Key, anyTime)
		if err != nil {
			return nil, err
		}
		// A list of certificates would keep one that does not suit the server from it, and the server could not say why.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own, nil }
	}
	return config, nil
}

// fromFiles is gRPC's TLS, which reads its files for each handshake.
type fromFiles struct {
	credentials.TransportCredentials
	files TLS
}

// ClientHandshake implements credentials.TransportCredentials.
func (f fromFiles) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	config, err := f.files.config()
	if err != nil {
		return nil, nil, err
	}
	if f.files.ServerName != "" {
		authority = f.files.ServerName
	}
	conn, info, err := credentials.NewTLS(config).ClientHandshake(ctx, authority, raw)
	if err != nil {
		return nil, nil, err
	}
	return &outspoken{Conn: conn, refused: make(chan struct{})}, info, nil
}

// outspoken is a connection over TLS whose write says why the server has closed it. In TLS 1.3 a server refuses a
// client's certificate after the client's handshake is over: the reason can be read while writes already fail.
type outspoken struct {
	net.Conn
	once    sync.Once
	refused chan struct{} // closed after why is set
	why     error         // of the first read that failed
}

// reasonTimeout is how long a failed write waits for the reason.
const reasonTimeout = time.Second

// Read implements net.Conn.
func (o *outspoken) Read(p []byte) (int, error) {
	n, err := o.Conn.Read(p)
	if err != nil {
		o.once.Do(func() {
			o.why = err
			close(o.refused)
		})
	}
	return n, err
}

// Write implements net.Conn.
func (o *outspoken) Write(p []byte) (int, error) {
	n, err := o.Conn.Write(p)
	if err == nil {
		return n, nil
	}
	wait := time.NewTimer(reasonTimeout)
	defer wait.Stop()
	select {
	case <-o.refused:
		if strings.Contains(o.why.Error(), "remote error: ") {
			return n, o.why
		}
	case <-wait.C:
	}
	return n, err
}

// Clone implements credentials.TransportCredentials.
func (f fromFiles) Clone() credentials.TransportCredentials {
	return fromFiles{f.TransportCredentials.Clone(), f.files}
}
