// A vCenter of the community's simulator library, completed where that library is simpler than a vCenter:
// /folder asks for a session, knows 201, 404 and 507 and creates no folders, and a session can be ended from outside.
//
// It has four datastores, whose files are plain files below -folder:
//
//	LocalDS_0  as large as the disk
//	LocalDS_1  8 MiB
//	LocalDS_2  its files cannot be read by range
//	LocalDS_3  who reads is sent to another host (localhost), which wants a ticket and must see no session
package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"flag"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"

	"github.com/vmware/govmomi/simulator"
)

const (
	datacenter = "DC0"
	small      = "LocalDS_1"
	smallSize  = 8 << 20
	noRanges   = "LocalDS_2"
	elsewhere  = "LocalDS_3"
	ticket     = "&ticket=1"
)

// A task's entity is a managed entity; these are none, and pyVmomi refuses to read the answer.
var noEntity = regexp.MustCompile(`<entity type="(FileManager|VirtualDiskManager)"[^>]*>[^<]*</entity>`)

var endedSession = regexp.MustCompile(`<sessionId[^>]*>([^<]+)</sessionId>`)

type front struct {
	simulator  http.Handler
	folder     string
	datastores map[string]*simulator.Datastore
	mutex      sync.Mutex
	sessions   map[string]bool
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/sdk":
		f.serveAPI(w, r)
	case strings.HasPrefix(r.URL.Path, "/folder/"):
		f.serveFile(w, r)
	default:
		f.simulator.ServeHTTP(w, r)
	}
}

// answer holds back what the simulator answers, so that it can be corrected.
type answer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (a *answer) WriteHeader(status int)         { a.status = status }
func (a *answer) Write(part []byte) (int, error) { return a.body.Write(part) }

func (f *front) serveAPI(w http.ResponseWriter, r *http.Request) {
	request, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(request))
	f.datastores[small].Summary.FreeSpace = smallSize - f.used(small)
	a := &answer{ResponseWriter: w, status: http.StatusOK}
	f.simulator.ServeHTTP(a, r)
	f.follow(request, w.Header(), session(r))
	w.Header().Del("Content-Length")
	w.WriteHeader(a.status)
	_, _ = w.Write(noEntity.ReplaceAll(a.body.Bytes(), nil))
}

// follow keeps in mind which sessions are alive.
func (f *front) follow(request []byte, header http.Header, caller string) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if bytes.Contains(request, []byte("<Logout")) {
		delete(f.sessions, caller)
	}
	if bytes.Contains(request, []byte("<TerminateSession")) {
		for _, found := range endedSession.FindAllSubmatch(request, -1) {
			delete(f.sessions, string(found[1]))
		}
	}
	for _, cookie := range (&http.Response{Header: header}).Cookies() {
		if cookie.Name == "vmware_soap_session" && cookie.Value != "" {
			f.sessions[strings.Trim(cookie.Value, `"`)] = true
		}
	}
}

func session(r *http.Request) string {
	cookie, err := r.Cookie("vmware_soap_session")
	if err != nil {
		return ""
	}
	return strings.Trim(cookie.Value, `"`)
}

func (f *front) serveFile(w http.ResponseWriter, r *http.Request) {
	f.mutex.Lock()
	alive := f.sessions[session(r)]
	f.mutex.Unlock()
	name := r.URL.Query().Get("dsName")
	_, found := f.datastores[name]
	if strings.HasSuffix(r.URL.RawQuery, ticket) {
		alive = r.Header.Get("Cookie") == "" && strings.HasPrefix(r.Host, "localhost:")
	}
	switch {
	case !alive:
		w.WriteHeader(http.StatusUnauthorized)
	case !found || r.URL.Query().Get("dcPath") != datacenter:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodPut:
		w.WriteHeader(f.put(name, r))
	case name == elsewhere && !strings.HasSuffix(r.URL.RawQuery, ticket):
		place := "https://localhost" + strings.TrimPrefix(r.Host, "127.0.0.1") + r.URL.RequestURI() + ticket
		http.Redirect(w, r, place, http.StatusFound)
	default:
		if name == noRanges {
			r.Header.Del("Range")
		}
		f.simulator.ServeHTTP(w, r)
	}
}

func (f *front) put(datastore string, r *http.Request) int {
	file := filepath.Join(f.folder, datastore, path.Clean("/"+strings.TrimPrefix(r.URL.Path, "/folder/")))
	if datastore == small && r.ContentLength > smallSize-f.used(small) {
		return http.StatusInsufficientStorage
	}
	_, err := os.Stat(file)
	existed := err == nil
	target, err := os.Create(file)
	if os.IsNotExist(err) {
		return http.StatusNotFound
	}
	if err != nil {
		return http.StatusInternalServerError
	}
	defer target.Close()
	// Reading the body, even of no bytes, is what tells the client to go on (100).
	_, err = io.Copy(writer{f, datastore, target}, r.Body)
	switch {
	case err == errFull:
		return http.StatusInsufficientStorage
	case err != nil:
		return http.StatusInternalServerError
	case existed:
		return http.StatusOK
	}
	return http.StatusCreated
}

var errFull = errors.New("the datastore is full")

// writer writes a file as long as there is room for it.
type writer struct {
	front     *front
	datastore string
	file      io.Writer
}

func (w writer) Write(part []byte) (int, error) {
	if w.datastore == small && w.front.used(small)+int64(len(part)) > smallSize {
		return 0, errFull
	}
	return w.file.Write(part)
}

func (f *front) used(datastore string) int64 {
	var sum int64
	_ = filepath.Walk(filepath.Join(f.folder, datastore), func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
		return nil
	})
	return sum
}

func main() {
	listen := flag.String("listen", "", "address and port")
	folder := flag.String("folder", "", "where the datastores' files are")
	user := flag.String("user", "", "who may log in")
	password := flag.String("password", "", "and by which password")
	certificate := flag.String("certificate", "", "of the server, with its key in the same file")
	flag.Parse()

	model := simulator.VPX()
	model.Datastore = 4
	if err := model.Create(); err != nil {
		log.Fatal(err)
	}
	defer model.Remove()
	pair, err := tls.LoadX509KeyPair(*certificate, *certificate)
	if err != nil {
		log.Fatal(err)
	}
	model.Service.Listen = &url.URL{Host: *listen, User: url.UserPassword(*user, *password)}
	model.Service.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server := model.Service.NewServer()

	f := &front{
		simulator: server.Config.Handler, folder: *folder,
		datastores: map[string]*simulator.Datastore{}, sessions: map[string]bool{},
	}
	for _, entity := range simulator.Map.All("Datastore") {
		datastore := entity.(*simulator.Datastore)
		place := filepath.Join(*folder, datastore.Name)
		if err := os.MkdirAll(place, 0700); err != nil {
			log.Fatal(err)
		}
		datastore.Info.GetDatastoreInfo().Url = place
		f.datastores[datastore.Name] = datastore
	}
	server.Config.Handler = f

	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	<-ended
}
