// Answers gRPC's health protocol by hand: every service is serving but the one called "broken".
package main

import (
	"bytes"
	"io"
	"log"
	"net/http"
)

func check(w http.ResponseWriter, r *http.Request) {
	request, _ := io.ReadAll(io.LimitReader(r.Body, 1<<12))
	status := byte(1) // SERVING
	if bytes.Contains(request, []byte("broken")) {
		status = 2 // NOT_SERVING
	}
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status")
	w.Write([]byte{0, 0, 0, 0, 2, 8, status})
	w.Header().Set("Grpc-Status", "0")
}

func main() {
	http.HandleFunc("POST /grpc.health.v1.Health/Check", check)
	server := http.Server{Addr: ":9090", Protocols: new(http.Protocols)}
	server.Protocols.SetUnencryptedHTTP2(true)
	log.Fatal(server.ListenAndServe())
}
