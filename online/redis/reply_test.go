package redis

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"testing/iotest"
)

// encoded returns values as Redis sends them, in arrays of at most so many.
func encoded(values [][]byte, most int) []byte {
	var b []byte
	for len(values) > 0 {
		n := min(len(values), most)
		b = fmt.Appendf(b, "*%d\r\n", n)
		for _, v := range values[:n] {
			if v == nil {
				b = append(b, "$-1\r\n"...)
				continue
			}
			b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(v), v)
		}
		values = values[n:]
	}
	return b
}

func TestAReplyIsReadAsItWasSent(t *testing.T) {
	values := [][]byte{[]byte("a"), nil, {}, []byte("\r\n$1\r\n"), bytes.Repeat([]byte("x"), 3*step), nil}
	for _, most := range []int{1, 4, 6} {
		var r reply
		sent := encoded(values, most)
		if _, err := r.ReadFrom(&io.LimitedReader{R: iotest.HalfReader(bytes.NewReader(sent)), N: int64(len(sent))}); err != nil {
			t.Fatal(err)
		}
		got, ok := r.values(nil, len(values))
		if !ok || len(got) != len(values) {
			t.Fatalf("%d values, %v", len(got), ok)
		}
		for i := range got {
			if !bytes.Equal(got[i], values[i]) || (got[i] == nil) != (values[i] == nil) {
				t.Errorf("value %d of %d bytes, want %d", i, len(got[i]), len(values[i]))
			}
		}
	}
}

func TestOtherRepliesAreNotValues(t *testing.T) {
	for _, sent := range []string{
		"", "*", "*1", "*1\r", "*1\r\n", "*1\r\n$", "*1\r\n$1\r\n", "*1\r\n$1\r\na", "*1\r\n$1\r\na\r", "*1\r\n$1\r\nab\r\n",
		"*2\r\n$1\r\na\r\n$1\r\nb\r\n", "*0\r\n", "*-1\r\n", "*1\r\n$-2\r\n", "*1\r\n$1\r\na\r\n+", "*1\r\n:1\r\n", "*1\r\n$x\r\n",
		"*1\r\n$9223372036854775807\r\na\r\n", "*1\r\n$99999999999999999999\r\na\r\n", "-ERR no\r\n", "*1\r\n-ERR no\r\n", "+OK\r\n", "_\r\n",
	} {
		if got, ok := (&reply{[]byte(sent)}).values(nil, 1); ok {
			t.Errorf("%q is %q", sent, got)
		}
	}
}

// A reply that counts as values is what Redis sends for them, up to how it writes numbers.
func FuzzReply(f *testing.F) {
	f.Add([]byte("*2\r\n$1\r\na\r\n$-1\r\n"), 2)
	f.Add([]byte("*1\r\n$0\r\n\r\n*1\r\n$-1\r\n"), 2)
	f.Fuzz(func(t *testing.T, sent []byte, n int) {
		n = max(1, n%100)
		got, ok := (&reply{sent}).values(nil, n)
		if !ok {
			return
		}
		total := 0
		for _, v := range got {
			total += len(v)
		}
		if len(got) != n || total > len(sent) {
			t.Fatalf("%d values of %d bytes of a reply of %d, want %d values", len(got), total, len(sent), n)
		}
		again, ok := (&reply{encoded(got, len(got))}).values(nil, n)
		if !ok {
			t.Fatalf("%q cannot be read again", got)
		}
		for i := range got {
			if !bytes.Equal(got[i], again[i]) || (got[i] == nil) != (again[i] == nil) {
				t.Fatalf("value %d is %q and %q", i, got[i], again[i])
			}
		}
	})
}
