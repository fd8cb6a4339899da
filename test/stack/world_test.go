package stack

import (
	"errors"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestMain makes this test binary a moto_server if it is called by that name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "moto_server" {
		fakeMoto()
		return
	}
	os.Exit(m.Run())
}

// stoppedFile is what the fake moto leaves beside itself when it is stopped.
const stoppedFile = "stopped"

// fakeMoto answers every request until it is stopped. Its arguments are those
// of moto_server: -H host -p port.
func fakeMoto() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		_ = http.ListenAndServe(net.JoinHostPort(os.Args[2], os.Args[4]), nil)
		os.Exit(1)
	}()
	<-stop
	if err := os.WriteFile(filepath.Join(filepath.Dir(os.Args[0]), stoppedFile), nil, 0o644); err != nil {
		os.Exit(1)
	}
}

func TestWorldClosesWhatItStartedOnATakenPort(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	addr := taken.Addr().String()
	for name, row := range map[string]struct {
		cfg  Config
		moto bool // moto has been started
	}{
		"the simulator's port": {Config{SimulatorAddr: addr}, false},
		"moto's port":          {Config{MotoAddr: addr}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bin := filepath.Join(t.TempDir(), "bin")
			if err := os.Mkdir(bin, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(self, filepath.Join(bin, "moto_server")); err != nil {
				t.Fatal(err)
			}
			row.cfg.Now = time.Now
			w, err := Tools{venv: filepath.Dir(bin)}.NewWorld(t.Context(), row.cfg)
			op, isOp := errors.AsType[*net.OpError](err)
			if w != nil || !errors.Is(err, syscall.EADDRINUSE) || !isOp || op.Addr.String() != addr {
				t.Errorf("NewWorld returns %v, %v; want an error that %s is in use", w, err, addr)
			}
			_, err = os.Stat(filepath.Join(bin, stoppedFile))
			if (err == nil) != row.moto {
				t.Errorf("moto was stopped: %t, want %t", err == nil, row.moto)
			}
		})
	}
}
