package redis_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/redis"
	"github.com/fstore-dev/fstore/online/redis/redistest"
)

// answers returns a server that gives some commands an answer of its own.
func answers(t *testing.T, own map[string]string) (url string) {
	t.Helper()
	usual := map[string]string{"ping": "+PONG", "mget": "*2\r\n$-1\r\n$-1", "multi": "+OK", "mset": "+QUEUED", "exec": "*1\r\n+OK", "info": "$27\r\nmaxmemory_policy:noeviction"}
	return "redis://" + answering(t, func(args []string) string {
		command := strings.ToLower(args[0])
		if answer, ok := own[command]; ok {
			return answer + "\r\n"
		}
		if answer, ok := usual[command]; ok {
			return answer + "\r\n"
		}
		return "-ERR unknown command\r\n"
	})
}

// That INFO is not allowed, or does not exist, means that the server does not tell. Any other refusal is an error, which names the
// server and says what to do.
func TestOnlyAMissingRightMeansThatAServerDoesNotTell(t *testing.T) {
	for refusal, c := range map[string]struct {
		kind error
		says string
	}{
		"NOPERM this user has no permissions to run the 'info' command": {},
		"ERR unknown command 'INFO'":                                    {},
		"NOAUTH Authentication required.":                               {fstore.ErrInvalid, "check user and password"},
		"WRONGPASS invalid username-password pair":                      {fstore.ErrInvalid, "check user and password"},
		"LOADING Redis is loading the dataset in memory":                {fstore.ErrUnavailable, "wait"},
		"MASTERDOWN Link with MASTER is down":                           {fstore.ErrUnavailable, "start that, or mend the network"},
		"ERR something else":                                            {fstore.ErrInvalid, "something else"},
	} {
		t.Run(refusal, func(t *testing.T) {
			url := answers(t, map[string]string{"info": "-" + refusal})
			warnings, err := checked(open(t, url))
			switch {
			case c.kind != nil:
				isKind(t, err, c.kind, strings.TrimPrefix(url, "redis://"), c.says)
			case err != nil || !strings.Contains(warnings, "cannot be read"):
				t.Errorf("got %q, %v", warnings, err)
			}
		})
	}
}

// Each refusal of a write says what to do.
func TestARefusedWriteSaysWhatToDo(t *testing.T) {
	for refusal, says := range map[string]string{
		"OOM command not allowed when used memory > 'maxmemory'.":                                          "raise maxmemory",
		"NOREPLICAS Not enough good replicas to write.":                                                    "min-replicas-to-write",
		"READONLY You can't write against a read only replica.":                                            "the URL must name the primary",
		"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.": "free space",
		"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.":                 "start that",
		"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.":           "script kill",
	} {
		t.Run(refusal, func(t *testing.T) {
			url := answers(t, map[string]string{"mset": "-" + refusal, "exec": "-EXECABORT Transaction discarded because of previous errors."})
			err := set(open(t, url), "k", "v")
			isKind(t, err, fstore.ErrUnavailable, strings.TrimPrefix(url, "redis://"), refusal)
			if _, hints := fstore.Explain(err); len(hints) != 1 || !strings.Contains(hints[0], says) {
				t.Errorf("the hint is %q", hints)
			}
		})
	}
}

// Check looks at every server that look-ups may read from or that a failover would promote. What keeps no look-up from being
// answered is a warning that names the server.
func TestCheckFindsWhatIsDegraded(t *testing.T) {
	s := redistest.NewSentinels(t, redistest.Config{Nodes: 2, Args: []string{"--min-replicas-to-write", "1"}})
	primary, replica := s.Nodes[0], s.Nodes[1]
	do := func(n *redistest.Node, line string) {
		t.Helper()
		if err := client(t, n.URL).Do(ctx, words(line)...).Err(); err != nil {
			t.Fatal(line, err)
		}
	}
	const user = "acl setuser app on >secret ~* +@all"
	do(primary, user)
	do(replica, user)
	url := strings.Replace(s.URL, "://", "://app:secret@", 1)
	t.Run("over connections that it keeps", func(t *testing.T) {
		b := open(t, url)
		look := func() string {
			t.Helper()
			if warnings, err := b.Check(ctx); err != nil || slices.ContainsFunc(warnings, func(w error) bool { return errors.Is(w, online.ErrDegraded) }) {
				t.Error(warnings, err)
			}
			return connections(t, replica, "app")
		}
		kept := look()
		if strings.Count(kept, "id=") != 1 || look() != kept || look() != kept {
			t.Errorf("connections: %s, then %s", kept, look())
		}
		do(replica, "client kill user app")
		if after := look(); after == kept || strings.Count(after, "id=") != 1 {
			t.Errorf("connections after one was closed: %s, before: %s", after, kept)
		}
		b.Close()
		succeeds(t, func() error {
			if left := connections(t, replica, "app"); left != "" {
				return fmt.Errorf("%w: connections after Close: %s", fstore.ErrUnavailable, left)
			}
			return nil
		})
	})
	for name, c := range map[string]struct {
		of       *redistest.Node
		do, undo func()
		says     []string
	}{
		"a replica without the user": {replica, func() { do(replica, "acl deluser app") }, func() { do(replica, user) }, []string{"WRONGPASS", "check user and password"}},
		"a replica with another password": {
			replica, func() { do(replica, "acl setuser app resetpass >other") }, func() { do(replica, "acl setuser app resetpass >secret") }, []string{"WRONGPASS"},
		},
		"a replica where the user may not read": {replica, func() { do(replica, "acl setuser app -mget") }, func() { do(replica, user) }, []string{"NOPERM", "grant the user"}},
		"a replica that is smaller":             {replica, func() { do(replica, "config set maxmemory 100mb") }, func() { do(replica, "config set maxmemory 0") }, []string{"maxmemory is 104857600", "no limit at the primary"}},
		"a replica that evicts": {
			replica, func() { do(replica, "config set maxmemory-policy allkeys-lru") }, func() { do(replica, "config set maxmemory-policy noeviction") }, []string{"allkeys-lru"},
		},
		"a primary that is full":         {primary, func() { do(primary, "config set maxmemory 1") }, func() { do(primary, "config set maxmemory 0") }, []string{"refuses writes", "raise maxmemory"}},
		"a primary without its replicas": {primary, replica.Kill, func() { replica.Restart(); do(replica, user); s.Settle() }, []string{"refuses writes", "min-replicas-to-write"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.do()
			defer c.undo()
			for _, url := range []string{url, url + "&read_from=replica"} {
				if name == "a replica that evicts" && strings.HasSuffix(url, "replica") {
					continue // look-ups would miss features: an error
				}
				b := open(t, url)
				succeeds(t, func() error { return finds(b, append(c.says, c.of.Addr)) }) // a primary takes a moment to miss a replica
				b.Close()
			}
		})
	}
}

// connections returns the numbers of a user's connections to a node.
func connections(t *testing.T, n *redistest.Node, user string) string {
	t.Helper()
	list, err := client(t, n.URL).ClientList(ctx).Result()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for line := range strings.Lines(list) {
		if strings.Contains(line, " user="+user+" ") {
			ids = append(ids, strings.Fields(line)[0])
		}
	}
	return strings.Join(ids, " ")
}

// finds returns ErrUnavailable unless Check warns of something degraded in all the words given.
func finds(b *redis.Backend, says []string) error {
	warnings, err := b.Check(ctx)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		found := errors.Is(w, online.ErrDegraded) && !strings.Contains(w.Error(), "secret")
		for _, s := range says {
			found = found && strings.Contains(w.Error(), s)
		}
		if found {
			return nil
		}
	}
	return fmt.Errorf("%w: %q do not say %q", fstore.ErrUnavailable, warnings, says)
}
