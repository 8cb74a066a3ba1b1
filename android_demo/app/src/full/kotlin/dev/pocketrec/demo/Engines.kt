package dev.pocketrec.demo

import dev.pocketrec.Pocketrec.EngineFactory
import dev.pocketrec.ort.OrtEngine

/** The flavor `full` answers with ONNX Runtime. */
internal val engineFactory: EngineFactory = EngineFactory(::OrtEngine)
