;; A module with one exported function for each thing that the tests want a task to do.
;; Arguments are argv[1], argv[2], ...; functions named after a WASI call end with its errno as
;; exit code.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get"
    (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get"
    (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read"
    (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get"
    (func $fd_prestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_dir_name"
    (func $fd_prestat_dir_name (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_create_directory"
    (func $path_create_directory (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_rename"
    (func $path_rename (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_symlink"
    (func $path_symlink (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))

  ;; 0: iovec, 8: result cells, 64: prestat, 128: subscriptions, 512: events, 1024: name of a
  ;; preopened directory, 4096: argv pointers, 8192: argv texts, 131072: copy buffer.
  (memory (export "memory") 8)
  (data (i32.const 48) "\n")

  ;; The base directory and the rest of the path that $resolve found.
  (global $base (mut i32) (i32.const 0))
  (global $rest (mut i32) (i32.const 0))
  (global $rest_length (mut i32) (i32.const 0))

  (func $load_arguments (drop (call $args_get (i32.const 4096) (i32.const 8192))))
  (func $argument (param $index i32) (result i32)
    (i32.load (i32.add (i32.const 4096) (i32.mul (local.get $index) (i32.const 4)))))

  (func $length (param $text i32) (result i32)
    (local $end i32)
    (local.set $end (local.get $text))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (i32.load8_u (local.get $end))))
        (local.set $end (i32.add (local.get $end) (i32.const 1)))
        (br $next)))
    (i32.sub (local.get $end) (local.get $text)))

  (func $number (param $text i32) (result i32)
    (local $value i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (i32.load8_u (local.get $text))))
        (local.set $value
          (i32.add
            (i32.mul (local.get $value) (i32.const 10))
            (i32.sub (i32.load8_u (local.get $text)) (i32.const 48))))
        (local.set $text (i32.add (local.get $text) (i32.const 1)))
        (br $next)))
    (local.get $value))

  (func $write (param $fd i32) (param $data i32) (param $size i32) (result i32)
    (local $errno i32)
    (block $done
      (loop $again
        (br_if $done (i32.eqz (local.get $size)))
        (i32.store (i32.const 0) (local.get $data))
        (i32.store (i32.const 4) (local.get $size))
        (local.set $errno
          (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
        (br_if $done (local.get $errno))
        (local.set $data (i32.add (local.get $data) (i32.load (i32.const 8))))
        (local.set $size (i32.sub (local.get $size) (i32.load (i32.const 8))))
        (br $again)))
    (local.get $errno))

  (func $print (param $fd i32) (param $text i32)
    (drop (call $write (local.get $fd) (local.get $text) (call $length (local.get $text)))))
  (func $print_line (param $text i32)
    (call $print (i32.const 1) (local.get $text))
    (drop (call $write (i32.const 1) (i32.const 48) (i32.const 1))))

  ;; Whether a text starts with the $size bytes at 1024.
  (func $starts_with (param $text i32) (param $size i32) (result i32)
    (local $index i32)
    (loop $next
      (if (i32.eq (local.get $index) (local.get $size)) (then (return (i32.const 1))))
      (if (i32.ne
            (i32.load8_u (i32.add (local.get $text) (local.get $index)))
            (i32.load8_u (i32.add (i32.const 1024) (local.get $index))))
        (then (return (i32.const 0))))
      (local.set $index (i32.add (local.get $index) (i32.const 1)))
      (br $next))
    unreachable)

  ;; Whether a path is the directory whose name of $size bytes is at 1024, or lies in it.
  (func $is_below (param $path i32) (param $size i32) (result i32)
    (local $after i32)
    (if (i32.eqz (call $starts_with (local.get $path) (local.get $size)))
      (then (return (i32.const 0))))
    (if (i32.eq (local.get $size) (i32.const 1)) (then (return (i32.const 1))))
    (local.set $after (i32.load8_u (i32.add (local.get $path) (local.get $size))))
    (i32.or (i32.eqz (local.get $after)) (i32.eq (local.get $after) (i32.const 47))))

  ;; Find the preopened directory with the longest name that an absolute path starts with.
  (func $resolve (param $path i32)
    (local $fd i32)
    (local $size i32)
    (local $best i32)
    (local.set $fd (i32.const 3))
    (block $done
      (loop $next
        (br_if $done (call $fd_prestat_get (local.get $fd) (i32.const 64)))
        (local.set $size (i32.load (i32.const 68)))
        (drop
          (call $fd_prestat_dir_name (local.get $fd) (i32.const 1024) (local.get $size)))
        (if (i32.and
              (i32.gt_u (local.get $size) (local.get $best))
              (call $is_below (local.get $path) (local.get $size)))
          (then
            (local.set $best (local.get $size))
            (global.set $base (local.get $fd))))
        (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
        (br $next)))
    (global.set $rest (i32.add (local.get $path) (local.get $best)))
    (if (i32.eq (i32.load8_u (global.get $rest)) (i32.const 47))
      (then (global.set $rest (i32.add (global.get $rest) (i32.const 1)))))
    (global.set $rest_length (call $length (global.get $rest)))
    (if (i32.eqz (global.get $rest_length))
      (then
        (i32.store8 (i32.const 56) (i32.const 46))
        (global.set $rest (i32.const 56))
        (global.set $rest_length (i32.const 1)))))

  ;; Open a path; the descriptor is at 12. $flags as O_CREAT 1, O_EXCL 4, O_TRUNC 8.
  (func $open (param $path i32) (param $flags i32) (param $rights i64) (result i32)
    (call $resolve (local.get $path))
    (call $path_open
      (global.get $base) (i32.const 1) (global.get $rest) (global.get $rest_length)
      (local.get $flags) (local.get $rights) (i64.const 0) (i32.const 0) (i32.const 12)))

  (func (export "_start")
    (call $load_arguments)
    (call $print_line (call $argument (i32.const 1))))

  ;; say STDOUT STDERR CODE
  (func (export "say")
    (call $load_arguments)
    (call $print (i32.const 1) (call $argument (i32.const 1)))
    (call $print (i32.const 2) (call $argument (i32.const 2)))
    (call $proc_exit (call $number (call $argument (i32.const 3))))
    unreachable)

  ;; Print every argument, argv[0] included, on a line.
  (func (export "arguments")
    (local $count i32)
    (local $index i32)
    (drop (call $args_sizes_get (i32.const 16) (i32.const 20)))
    (local.set $count (i32.load (i32.const 16)))
    (call $load_arguments)
    (loop $next
      (if (i32.lt_u (local.get $index) (local.get $count))
        (then
          (call $print_line (call $argument (local.get $index)))
          (local.set $index (i32.add (local.get $index) (i32.const 1)))
          (br $next)))))

  (func (export "environment")
    (local $count i32)
    (local $index i32)
    (drop (call $environ_sizes_get (i32.const 16) (i32.const 20)))
    (local.set $count (i32.load (i32.const 16)))
    (drop (call $environ_get (i32.const 4096) (i32.const 8192)))
    (loop $next
      (if (i32.lt_u (local.get $index) (local.get $count))
        (then
          (call $print_line (call $argument (local.get $index)))
          (local.set $index (i32.add (local.get $index) (i32.const 1)))
          (br $next)))))

  ;; variable NAME: print its value on a line.
  (func (export "variable")
    (local $count i32)
    (local $index i32)
    (local $entry i32)
    (local $size i32)
    (call $load_arguments)
    (local.set $size (call $length (call $argument (i32.const 1))))
    (memory.copy (i32.const 1024) (call $argument (i32.const 1)) (local.get $size))
    (drop (call $environ_sizes_get (i32.const 16) (i32.const 20)))
    (local.set $count (i32.load (i32.const 16)))
    (drop (call $environ_get (i32.const 4096) (i32.const 8192)))
    (loop $next
      (if (i32.lt_u (local.get $index) (local.get $count))
        (then
          (local.set $entry (call $argument (local.get $index)))
          (if (call $starts_with (local.get $entry) (local.get $size))
            (then
              (local.set $entry (i32.add (local.get $entry) (local.get $size)))
              (if (i32.eq (i32.load8_u (local.get $entry)) (i32.const 61))
                (then
                  (call $print_line (i32.add (local.get $entry) (i32.const 1)))
                  (return)))))
          (local.set $index (i32.add (local.get $index) (i32.const 1)))
          (br $next)))))

  ;; copy FROM TO
  (func (export "copy")
    (local $from i32)
    (local $to i32)
    (local $size i32)
    (local $errno i32)
    (call $load_arguments)
    (local.set $errno (call $open (call $argument (i32.const 1)) (i32.const 0) (i64.const 2)))
    (if (local.get $errno) (then (call $proc_exit (local.get $errno))))
    (local.set $from (i32.load (i32.const 12)))
    (local.set $errno (call $open (call $argument (i32.const 2)) (i32.const 9) (i64.const 64)))
    (if (local.get $errno) (then (call $proc_exit (local.get $errno))))
    (local.set $to (i32.load (i32.const 12)))
    (block $done
      (loop $next
        (i32.store (i32.const 0) (i32.const 131072))
        (i32.store (i32.const 4) (i32.const 65536))
        (local.set $errno
          (call $fd_read (local.get $from) (i32.const 0) (i32.const 1) (i32.const 8)))
        (if (local.get $errno) (then (call $proc_exit (local.get $errno))))
        (local.set $size (i32.load (i32.const 8)))
        (br_if $done (i32.eqz (local.get $size)))
        (local.set $errno (call $write (local.get $to) (i32.const 131072) (local.get $size)))
        (if (local.get $errno) (then (call $proc_exit (local.get $errno))))
        (br $next)))
    (drop (call $fd_close (local.get $from)))
    (drop (call $fd_close (local.get $to))))

  ;; forever TEXT: print a line, then compute without end.
  (func (export "forever")
    (call $load_arguments)
    (call $print_line (call $argument (i32.const 1)))
    (loop $again (br $again)))

  ;; sleep TEXT MILLISECONDS: print a line, then wait; ends with the errno of the wait.
  (func $sleep (export "sleep")
    (call $load_arguments)
    (call $print_line (call $argument (i32.const 1)))
    (i64.store (i32.const 128) (i64.const 77))
    (i32.store (i32.const 144) (i32.const 1))
    (i64.store (i32.const 152)
      (i64.mul
        (i64.extend_i32_u (call $number (call $argument (i32.const 2)))) (i64.const 1000000)))
    (call $proc_exit
      (call $poll_oneoff (i32.const 128) (i32.const 512) (i32.const 1) (i32.const 8)))
    unreachable)

  ;; claim TEXT MILLISECONDS PATH: make a file, which must not be there, then do as sleep does.
  (func (export "claim")
    (local $errno i32)
    (call $load_arguments)
    (local.set $errno (call $open (call $argument (i32.const 3)) (i32.const 5) (i64.const 64)))
    (if (local.get $errno) (then (call $proc_exit (local.get $errno))))
    (call $sleep))

  ;; sleep_until MILLISECONDS: wait for a time on the monotonic clock, given as distance from now;
  ;; ends with the number of events, or 100 when it woke too early.
  (func (export "sleep_until")
    (local $end i64)
    (call $load_arguments)
    (drop (call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 16)))
    (local.set $end
      (i64.add
        (i64.load (i32.const 16))
        (i64.mul
          (i64.extend_i32_u (call $number (call $argument (i32.const 1)))) (i64.const 1000000))))
    (i32.store (i32.const 144) (i32.const 1))
    (i64.store (i32.const 152) (local.get $end))
    (i32.store16 (i32.const 168) (i32.const 1))
    (drop (call $poll_oneoff (i32.const 128) (i32.const 512) (i32.const 1) (i32.const 8)))
    (drop (call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 16)))
    (if (i64.lt_u (i64.add (i64.load (i32.const 16)) (i64.const 1000000)) (local.get $end))
      (then (call $proc_exit (i32.const 100))))
    (call $proc_exit (i32.load (i32.const 8))))

  ;; poll COUNT: ask for that many subscriptions of zeros.
  (func (export "poll")
    (call $load_arguments)
    (call $proc_exit
      (call $poll_oneoff
        (i32.const 131072) (i32.const 131072)
        (call $number (call $argument (i32.const 1))) (i32.const 8)))
    unreachable)

  (func (export "trap")
    (call $load_arguments)
    (call $print_line (call $argument (i32.const 1)))
    unreachable)

  ;; grow PAGES: 0 when the memory could grow, 1 when not.
  (func (export "grow")
    (call $load_arguments)
    (call $proc_exit
      (i32.eq (memory.grow (call $number (call $argument (i32.const 1)))) (i32.const -1)))
    unreachable)

  ;; flood BYTES: one write of up to 300,000 bytes; 1 when it was not taken as a whole.
  (func (export "flood")
    (local $size i32)
    (call $load_arguments)
    (local.set $size (call $number (call $argument (i32.const 1))))
    (memory.fill (i32.const 131072) (i32.const 120) (local.get $size))
    (i32.store (i32.const 0) (i32.const 131072))
    (i32.store (i32.const 4) (local.get $size))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (call $proc_exit (i32.ne (i32.load (i32.const 8)) (local.get $size)))
    unreachable)

  ;; read PATH, create PATH, mkdir PATH, rename FROM TO (in one directory), symlink TARGET PATH
  (func (export "read")
    (call $load_arguments)
    (call $proc_exit (call $open (call $argument (i32.const 1)) (i32.const 0) (i64.const 2)))
    unreachable)
  (func (export "create")
    (call $load_arguments)
    (call $proc_exit (call $open (call $argument (i32.const 1)) (i32.const 9) (i64.const 64)))
    unreachable)
  (func (export "mkdir")
    (call $load_arguments)
    (call $resolve (call $argument (i32.const 1)))
    (call $proc_exit
      (call $path_create_directory
        (global.get $base) (global.get $rest) (global.get $rest_length)))
    unreachable)
  (func (export "rename")
    (local $from i32)
    (local $from_length i32)
    (call $load_arguments)
    (call $resolve (call $argument (i32.const 1)))
    (local.set $from (global.get $rest))
    (local.set $from_length (global.get $rest_length))
    (call $resolve (call $argument (i32.const 2)))
    (call $proc_exit
      (call $path_rename
        (global.get $base) (local.get $from) (local.get $from_length)
        (global.get $base) (global.get $rest) (global.get $rest_length)))
    unreachable)
  (func (export "symlink")
    (local $target i32)
    (call $load_arguments)
    (local.set $target (call $argument (i32.const 1)))
    (call $resolve (call $argument (i32.const 2)))
    (call $proc_exit
      (call $path_symlink
        (local.get $target) (call $length (local.get $target))
        (global.get $base) (global.get $rest) (global.get $rest_length)))
    unreachable)

  (func (export "takes_parameters") (param i32))
  (global (export "not_a_function") i32 (i32.const 0)))
