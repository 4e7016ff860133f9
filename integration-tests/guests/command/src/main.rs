//! A `wasi:cli/run` component: says what it was given, and ends as its first argument says.

use std::io::Read as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("arguments") => println!("{}", arguments.collect::<Vec<_>>().join(" ")),
        Some("environment") => {
            std::env::vars().for_each(|(name, value)| println!("{name}={value}"))
        }
        Some("cat") => print!("{}", std::fs::read_to_string(arguments.next().unwrap()).unwrap()),
        Some("stdin") => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).unwrap();
            print!("{text}");
        }
        Some("fail") => return ExitCode::from(7),
        Some("trap") => panic!("asked to"),
        Some("fib") => println!("{}", fib(arguments.next().unwrap().parse().unwrap())),
        Some("spin") => loop {
            std::hint::spin_loop();
        },
        _ => println!("hello"),
    }
    ExitCode::SUCCESS
}

fn fib(number: u32) -> u64 {
    if number < 2 { u64::from(number) } else { fib(number - 1) + fib(number - 2) }
}
