;; Counts lines, words and bytes of every file below /inputs, like wc.
;;
;; The table goes to standard output and, where there is a directory /outputs, to the file
;; /outputs/counts.txt. What cannot be read is named on standard error, and the exit code is 1.
;;
;; The module is a WASI preview 1 "command": it exports its memory and the function _start, and
;; everything outside it is reached through the functions that it imports. Each of them returns an
;; errno, 0 for success, and writes its answers to addresses that it is given.
(module
  (import "wasi_snapshot_preview1" "fd_prestat_get"
    (func $fd_prestat_get (param $fd i32) (param $answer i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_dir_name"
    (func $fd_prestat_dir_name (param $fd i32) (param $name i32) (param $size i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open
      (param $directory i32) (param $lookup i32) (param $path i32) (param $size i32)
      (param $flags i32) (param $rights i64) (param $inherited i64) (param $mode i32)
      (param $answer i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_filestat_get"
    (func $path_filestat_get
      (param $directory i32) (param $lookup i32) (param $path i32) (param $size i32)
      (param $answer i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_readdir"
    (func $fd_readdir
      (param $fd i32) (param $buffer i32) (param $size i32) (param $cookie i64)
      (param $answer i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read"
    (func $fd_read
      (param $fd i32) (param $vectors i32) (param $count i32) (param $answer i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write
      (param $fd i32) (param $vectors i32) (param $count i32) (param $answer i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param $fd i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param $code i32)))

  ;; ---------------------------------------------------------------- memory, at fixed addresses
  ;;      0  a vector (address, size) for fd_read and fd_write
  ;;      8  answers of one word: a descriptor, or a number of bytes
  ;;     16  an answer of fd_prestat_get: 8 bytes
  ;;     64  an answer of path_filestat_get: 64 bytes; the kind of file is byte 16 of it
  ;;    256  texts
  ;;   1024  a name, or a number on its way to the screen
  ;;   4096  the path of the file at hand, relative to /inputs: at most 8,192 bytes
  ;;  65536  64 KiB of a file
  ;; 131072  4 KiB of each directory that is being read: at most 32 within each other
  (memory (export "memory") 4)

  (data (i32.const 256) "/inputs")
  (data (i32.const 264) "/outputs")
  (data (i32.const 272) "counts.txt")
  (data (i32.const 288) "wordcount: cannot ")
  (data (i32.const 306) "open ")
  (data (i32.const 311) "read ")
  (data (i32.const 316) "descend into ")
  (data (i32.const 329) "write the table")
  (data (i32.const 344) " (errno ")
  (data (i32.const 352) ")\n")
  (data (i32.const 360) "    lines     words     bytes  path\n")
  (data (i32.const 400) "total")
  (data (i32.const 408) " ")
  (data (i32.const 409) "\n")

  (global $path i32 (i32.const 4096))
  (global $path_limit i32 (i32.const 8192))
  (global $content i32 (i32.const 65536))
  (global $content_size i32 (i32.const 65536))
  (global $listings i32 (i32.const 131072))
  (global $listing_size i32 (i32.const 4096))
  (global $depth_limit i32 (i32.const 32))

  ;; Kinds of files and flags of WASI.
  (global $DIRECTORY i32 (i32.const 3))
  (global $REGULAR i32 (i32.const 4))
  (global $O_CREATE_AND_TRUNCATE i32 (i32.const 9))
  (global $O_DIRECTORY i32 (i32.const 2))
  ;; fd_read, and for directories also fd_readdir, path_open and path_filestat_get.
  (global $RIGHT_READ i64 (i64.const 0x2))
  (global $RIGHT_WRITE i64 (i64.const 0x40))
  (global $RIGHTS_DIRECTORY i64 (i64.const 0x46002))
  (global $ENAMETOOLONG i32 (i32.const 37))

  (global $inputs (mut i32) (i32.const -1))   ;; descriptor of /inputs
  (global $counts (mut i32) (i32.const -1))   ;; descriptor of /outputs/counts.txt, if any
  (global $has_failed (mut i32) (i32.const 0))
  (global $total_lines (mut i64) (i64.const 0))
  (global $total_words (mut i64) (i64.const 0))
  (global $total_bytes (mut i64) (i64.const 0))

  (func (export "_start")
    (call $find_directories)
    (if (i32.lt_s (global.get $inputs) (i32.const 0)) (then (call $proc_exit (i32.const 1))))
    (call $print (i32.const 360) (i32.const 36))
    (call $count_directory (i32.const 0) (i32.const 0))
    (call $print_row
      (global.get $total_lines) (global.get $total_words) (global.get $total_bytes)
      (i32.const 400) (i32.const 5))
    (call $proc_exit (global.get $has_failed)))

  ;; ---------------------------------------------------------------------------- the directories

  ;; Find /inputs and /outputs among the directories that were opened for us. These have the
  ;; descriptors from 3 on.
  (func $find_directories
    (local $fd i32)
    (local $size i32)
    (local $errno i32)
    (local.set $fd (i32.const 3))
    (block $done
      (loop $next
        (br_if $done (call $fd_prestat_get (local.get $fd) (i32.const 16)))
        (local.set $size (i32.load (i32.const 20)))
        (if (i32.le_u (local.get $size) (i32.const 1024))
          (then
            (drop
              (call $fd_prestat_dir_name (local.get $fd) (i32.const 1024) (local.get $size)))
            (if (call $is_text (i32.const 256) (i32.const 7) (local.get $size))
              (then (global.set $inputs (local.get $fd))))
            (if (call $is_text (i32.const 264) (i32.const 8) (local.get $size))
              (then (call $open_counts (local.get $fd))))))
        (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
        (br $next)))
    ;; Single files can be mounted below /inputs; it then is an ordinary directory of /.
    (if (i32.lt_s (global.get $inputs) (i32.const 0))
      (then
        (local.set $errno
          (call $open
            (i32.const 3) (i32.const 257) (i32.const 6)
            (global.get $O_DIRECTORY) (global.get $RIGHTS_DIRECTORY)))
        (if (local.get $errno)
          (then
            (call $complain
              (i32.const 306) (i32.const 5) (i32.const 256) (i32.const 7) (local.get $errno)))
          (else (global.set $inputs (i32.load (i32.const 8))))))))

  (func $open_counts (param $outputs i32)
    (local $errno i32)
    (local.set $errno
      (call $open
        (local.get $outputs) (i32.const 272) (i32.const 10)
        (global.get $O_CREATE_AND_TRUNCATE) (global.get $RIGHT_WRITE)))
    (if (local.get $errno)
      (then
        (call $complain
          (i32.const 306) (i32.const 5) (i32.const 272) (i32.const 10) (local.get $errno)))
      (else (global.set $counts (i32.load (i32.const 8))))))

  ;; Count everything in the directory whose path is the first $size bytes of $path.
  (func $count_directory (param $size i32) (param $depth i32)
    (local $fd i32)
    (local $errno i32)
    (if (i32.ge_u (local.get $depth) (global.get $depth_limit))
      (then
        (call $complain_of_path
          (i32.const 316) (i32.const 13) (local.get $size) (global.get $ENAMETOOLONG))
        (return)))
    (if (local.get $size)
      (then
        (local.set $errno
          (call $open
            (global.get $inputs) (global.get $path) (local.get $size)
            (global.get $O_DIRECTORY) (global.get $RIGHTS_DIRECTORY)))
        (if (local.get $errno)
          (then
            (call $complain_of_path
              (i32.const 306) (i32.const 5) (local.get $size) (local.get $errno))
            (return)))
        (local.set $fd (i32.load (i32.const 8))))
      (else (local.set $fd (global.get $inputs))))
    (call $read_directory (local.get $fd) (local.get $size) (local.get $depth))
    (if (local.get $size) (then (drop (call $fd_close (local.get $fd))))))

  ;; Go through the entries of an open directory. They come as many as fit into the buffer; each is
  ;; a head of 24 bytes (cookie of the next: 0, length of the name: 16, kind: 20) and the name. The
  ;; last may be cut off, and is then asked for again with the cookie that led to it.
  (func $read_directory (param $fd i32) (param $size i32) (param $depth i32)
    (local $buffer i32)
    (local $entry i32)
    (local $end i32)
    (local $name_size i32)
    (local $cookie i64)
    (local $errno i32)
    (local.set $buffer
      (i32.add
        (global.get $listings) (i32.mul (local.get $depth) (global.get $listing_size))))
    (loop $more
      (local.set $errno
        (call $fd_readdir
          (local.get $fd) (local.get $buffer) (global.get $listing_size) (local.get $cookie)
          (i32.const 8)))
      (if (local.get $errno)
        (then
          (call $complain_of_path
            (i32.const 311) (i32.const 5) (local.get $size) (local.get $errno))
          (return)))
      (local.set $entry (local.get $buffer))
      (local.set $end (i32.add (local.get $buffer) (i32.load (i32.const 8))))
      (block $exhausted
        (loop $next
          (br_if $exhausted
            (i32.gt_u (i32.add (local.get $entry) (i32.const 24)) (local.get $end)))
          (local.set $name_size (i32.load offset=16 (local.get $entry)))
          (br_if $exhausted
            (i32.gt_u
              (i32.add (i32.add (local.get $entry) (i32.const 24)) (local.get $name_size))
              (local.get $end)))
          (local.set $cookie (i64.load (local.get $entry)))
          (call $count_entry
            (i32.add (local.get $entry) (i32.const 24)) (local.get $name_size)
            (i32.load8_u offset=20 (local.get $entry)) (local.get $size) (local.get $depth))
          (local.set $entry
            (i32.add (i32.add (local.get $entry) (i32.const 24)) (local.get $name_size)))
          (br $next)))
      ;; A buffer that was not filled was the last.
      (br_if $more
        (i32.eq
          (i32.sub (local.get $end) (local.get $buffer)) (global.get $listing_size)))))

  ;; Count one entry of the directory whose path has $size bytes. Links and devices are left out.
  (func $count_entry
    (param $name i32) (param $name_size i32) (param $kind i32) (param $size i32) (param $depth i32)
    (local $end i32)
    (if (call $is_dots (local.get $name) (local.get $name_size)) (then (return)))
    (if (i32.gt_u
          (i32.add (i32.add (local.get $size) (local.get $name_size)) (i32.const 1))
          (global.get $path_limit))
      (then
        (call $complain_of_path
          (i32.const 316) (i32.const 13) (local.get $size) (global.get $ENAMETOOLONG))
        (return)))
    ;; Append "/" unless this is the top, and the name.
    (local.set $end (i32.add (global.get $path) (local.get $size)))
    (if (local.get $size)
      (then
        (i32.store8 (local.get $end) (i32.const 47))
        (local.set $end (i32.add (local.get $end) (i32.const 1)))))
    (memory.copy (local.get $end) (local.get $name) (local.get $name_size))
    (local.set $size
      (i32.sub (i32.add (local.get $end) (local.get $name_size)) (global.get $path)))
    ;; Not every file system tells the kind while listing.
    (if (i32.eqz (local.get $kind)) (then (local.set $kind (call $kind_of (local.get $size)))))
    (if (i32.eq (local.get $kind) (global.get $DIRECTORY))
      (then
        (call $count_directory
          (local.get $size) (i32.add (local.get $depth) (i32.const 1)))))
    (if (i32.eq (local.get $kind) (global.get $REGULAR))
      (then (call $count_file (local.get $size)))))

  (func $kind_of (param $size i32) (result i32)
    (if (result i32)
      (call $path_filestat_get
        (global.get $inputs) (i32.const 0) (global.get $path) (local.get $size) (i32.const 64))
      (then (i32.const 0))
      (else (i32.load8_u (i32.const 80)))))

  ;; ---------------------------------------------------------------------------------- the files

  ;; Count the file whose path is the first $size bytes of $path, and print its row.
  (func $count_file (param $size i32)
    (local $fd i32)
    (local $errno i32)
    (local $at i32)
    (local $end i32)
    (local $byte i32)
    (local $is_in_word i32)
    (local $lines i64)
    (local $words i64)
    (local $bytes i64)
    (local.set $errno
      (call $open
        (global.get $inputs) (global.get $path) (local.get $size)
        (i32.const 0) (global.get $RIGHT_READ)))
    (if (local.get $errno)
      (then
        (call $complain_of_path (i32.const 306) (i32.const 5) (local.get $size) (local.get $errno))
        (return)))
    (local.set $fd (i32.load (i32.const 8)))
    (block $done
      (loop $more
        (i32.store (i32.const 0) (global.get $content))
        (i32.store (i32.const 4) (global.get $content_size))
        (local.set $errno
          (call $fd_read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
        (br_if $done (local.get $errno))
        (br_if $done (i32.eqz (i32.load (i32.const 8))))
        (local.set $at (global.get $content))
        (local.set $end (i32.add (local.get $at) (i32.load (i32.const 8))))
        (local.set $bytes
          (i64.add (local.get $bytes) (i64.extend_i32_u (i32.load (i32.const 8)))))
        (loop $next
          (local.set $byte (i32.load8_u (local.get $at)))
          (if (call $is_space (local.get $byte))
            (then
              (local.set $is_in_word (i32.const 0))
              (local.set $lines
                (i64.add
                  (local.get $lines)
                  (i64.extend_i32_u (i32.eq (local.get $byte) (i32.const 10))))))
            (else
              ;; A word begins where the byte before was not in one.
              (local.set $words
                (i64.add
                  (local.get $words) (i64.extend_i32_u (i32.eqz (local.get $is_in_word)))))
              (local.set $is_in_word (i32.const 1))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
        (br $more)))
    (drop (call $fd_close (local.get $fd)))
    (if (local.get $errno)
      (then
        (call $complain_of_path (i32.const 311) (i32.const 5) (local.get $size) (local.get $errno))
        (return)))
    (global.set $total_lines (i64.add (global.get $total_lines) (local.get $lines)))
    (global.set $total_words (i64.add (global.get $total_words) (local.get $words)))
    (global.set $total_bytes (i64.add (global.get $total_bytes) (local.get $bytes)))
    (call $print_row
      (local.get $lines) (local.get $words) (local.get $bytes)
      (global.get $path) (local.get $size)))

  ;; Blank, or one of tab, line feed, vertical tab, form feed and carriage return.
  (func $is_space (param $byte i32) (result i32)
    (i32.or
      (i32.eq (local.get $byte) (i32.const 32))
      (i32.lt_u (i32.sub (local.get $byte) (i32.const 9)) (i32.const 5))))

  (func $open
    (param $directory i32) (param $path i32) (param $size i32) (param $flags i32) (param $rights i64)
    (result i32)
    (call $path_open
      (local.get $directory) (i32.const 0) (local.get $path) (local.get $size)
      (local.get $flags) (local.get $rights) (local.get $rights) (i32.const 0) (i32.const 8)))

  ;; ------------------------------------------------------------------------------------- output

  (func $print_row
    (param $lines i64) (param $words i64) (param $bytes i64) (param $name i32) (param $size i32)
    (call $print_number (local.get $lines) (i32.const 9))
    (call $print_number (local.get $words) (i32.const 10))
    (call $print_number (local.get $bytes) (i32.const 10))
    (call $print (i32.const 408) (i32.const 1))
    (call $print (i32.const 408) (i32.const 1))
    (call $print (local.get $name) (local.get $size))
    (call $print (i32.const 409) (i32.const 1)))

  ;; Print a number, filled with blanks on the left to $width characters.
  (func $print_number (param $number i64) (param $width i32)
    (local $start i32)
    (local.set $start (call $digits (local.get $number)))
    (loop $fill
      (if (i32.lt_u (i32.sub (i32.const 1056) (local.get $start)) (local.get $width))
        (then
          (local.set $start (i32.sub (local.get $start) (i32.const 1)))
          (i32.store8 (local.get $start) (i32.const 32))
          (br $fill))))
    (call $print (local.get $start) (i32.sub (i32.const 1056) (local.get $start))))

  ;; Write the digits of a number so that they end before 1056; return where they begin.
  (func $digits (param $number i64) (result i32)
    (local $start i32)
    (local.set $start (i32.const 1056))
    (loop $next
      (local.set $start (i32.sub (local.get $start) (i32.const 1)))
      (i32.store8
        (local.get $start)
        (i32.add
          (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $number) (i64.const 10)))))
      (local.set $number (i64.div_u (local.get $number) (i64.const 10)))
      (br_if $next (i64.ne (local.get $number) (i64.const 0))))
    (local.get $start))

  ;; Print a piece of the table, on the screen and into the file.
  (func $print (param $text i32) (param $size i32)
    (call $write (i32.const 1) (local.get $text) (local.get $size))
    (if (i32.ge_s (global.get $counts) (i32.const 0))
      (then (call $write (global.get $counts) (local.get $text) (local.get $size)))))

  ;; Write all of a text; one call may take only a part.
  (func $write (param $fd i32) (param $text i32) (param $size i32)
    (local $errno i32)
    (loop $more
      (if (i32.eqz (local.get $size)) (then (return)))
      (i32.store (i32.const 0) (local.get $text))
      (i32.store (i32.const 4) (local.get $size))
      (local.set $errno
        (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
      (if (local.get $errno)
        (then
          ;; Where standard error fails, nobody can be told.
          (if (i32.ne (local.get $fd) (i32.const 2))
            (then
              (call $complain
                (i32.const 329) (i32.const 15) (i32.const 0) (i32.const 0) (local.get $errno))))
          (call $proc_exit (i32.const 1))))
      (local.set $text (i32.add (local.get $text) (i32.load (i32.const 8))))
      (local.set $size (i32.sub (local.get $size) (i32.load (i32.const 8))))
      (br $more)))

  (func $complain_of_path
    (param $action i32) (param $action_size i32) (param $size i32) (param $errno i32)
    (call $complain
      (local.get $action) (local.get $action_size) (global.get $path) (local.get $size)
      (local.get $errno)))

  ;; "wordcount: cannot ACTION NAME (errno N)"
  (func $complain
    (param $action i32) (param $action_size i32) (param $name i32) (param $size i32)
    (param $errno i32)
    (local $number i32)
    (global.set $has_failed (i32.const 1))
    (call $write (i32.const 2) (i32.const 288) (i32.const 18))
    (call $write (i32.const 2) (local.get $action) (local.get $action_size))
    (call $write (i32.const 2) (local.get $name) (local.get $size))
    (call $write (i32.const 2) (i32.const 344) (i32.const 8))
    (local.set $number (call $digits (i64.extend_i32_u (local.get $errno))))
    (call $write
      (i32.const 2) (local.get $number) (i32.sub (i32.const 1056) (local.get $number)))
    (call $write (i32.const 2) (i32.const 352) (i32.const 2)))

  ;; ----------------------------------------------------------------------------- small questions

  ;; Whether the name at 1024 is a text.
  (func $is_text (param $text i32) (param $text_size i32) (param $size i32) (result i32)
    (if (i32.ne (local.get $text_size) (local.get $size)) (then (return (i32.const 0))))
    (loop $next
      (local.set $size (i32.sub (local.get $size) (i32.const 1)))
      (if (i32.ne
            (i32.load8_u (i32.add (local.get $text) (local.get $size)))
            (i32.load8_u (i32.add (i32.const 1024) (local.get $size))))
        (then (return (i32.const 0))))
      (br_if $next (local.get $size)))
    (i32.const 1))

  ;; Whether a name is "." or "..": the directory itself, and the one above.
  (func $is_dots (param $name i32) (param $size i32) (result i32)
    (if (i32.gt_u (local.get $size) (i32.const 2)) (then (return (i32.const 0))))
    (if (i32.ne (i32.load8_u (local.get $name)) (i32.const 46)) (then (return (i32.const 0))))
    (i32.or
      (i32.eq (local.get $size) (i32.const 1))
      (i32.eq (i32.load8_u offset=1 (local.get $name)) (i32.const 46)))))
