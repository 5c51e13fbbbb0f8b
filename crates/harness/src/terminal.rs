//! A terminal, for programs that write otherwise to people than into a pipe.

use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::fd::FromRawFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A terminal of 100 columns and 30 rows. What is written to it is kept.
pub struct Terminal {
    path: PathBuf,
    shown: Arc<Mutex<Vec<u8>>>,
    /// Keeps the terminal until the program has opened it.
    open: File,
    reader: JoinHandle<()>,
}

impl Terminal {
    pub fn open() -> Terminal {
        let size = libc::winsize {
            ws_row: 30,
            ws_col: 100,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let (mut master, mut slave) = (-1, -1);
        let mut name = [0; 128];
        // SAFETY: the pointers are those of variables, and the name of a terminal is shorter than its buffer.
        let (mut master, open, path) = unsafe {
            let null = std::ptr::null();
            let opened = libc::openpty(&mut master, &mut slave, name.as_mut_ptr(), null, &size);
            assert_eq!(opened, 0, "a terminal: {}", std::io::Error::last_os_error());
            for end in [master, slave] {
                libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC);
            }
            let path = CStr::from_ptr(name.as_ptr()).to_str().expect("a path");
            let (master, slave) = (File::from_raw_fd(master), File::from_raw_fd(slave));
            (master, slave, PathBuf::from(path))
        };
        let shown: Arc<Mutex<Vec<u8>>> = Arc::default();
        let into = Arc::clone(&shown);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // an error is its end: nobody has it open any more
            while let Ok(count @ 1..) = master.read(&mut bytes) {
                into.lock().expect("no panic").extend(&bytes[..count]);
            }
        });
        Terminal {
            path,
            shown,
            open,
            reader,
        }
    }

    /// Where a program opens it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An output of a child process.
    pub fn stdio(&self) -> Stdio {
        let file = OpenOptions::new().read(true).write(true).open(&self.path);
        file.expect("the terminal").into()
    }

    /// All that was written to it so far, with the line ends of a file.
    pub fn shown(&self) -> String {
        text_of(&self.shown)
    }

    /// The same once every program has closed it.
    pub fn closed(self) -> String {
        drop(self.open);
        self.reader.join().expect("no panic");
        text_of(&self.shown)
    }
}

fn text_of(shown: &Mutex<Vec<u8>>) -> String {
    let bytes = shown.lock().expect("no panic");
    String::from_utf8_lossy(&bytes).replace("\r\n", "\n")
}
