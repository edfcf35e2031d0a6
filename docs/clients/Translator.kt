// Ids in, ids out, with the whole search of the recipe in the model. Gradle: com.google.ai.edge.litert:litert:1.4.0
package org.example.seqcfg

import java.io.Closeable
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.tensorflow.lite.Interpreter

/** A model.tflite that `seqcfg export --format tflite-int8` wrote; `maxSourceLength` and `longest` are those of model.json. */
class Translator(model: File, private val maxSourceLength: Int, private val longest: IntArray, threads: Int = 2) : Closeable {
    private val interpreter = Interpreter(model, Interpreter.Options().setNumThreads(threads))

    /** The best output, without its end, and its score. `ids` are a sentence's, without the end id, which is added here. */
    fun translate(ids: IntArray): Pair<IntArray, Float> {
        val source = (ids.take(maxSourceLength - 1) + END).toIntArray()
        val inputs = mapOf("source" to arrayOf(source), "source_length" to intArrayOf(source.size))
        val found = buffer(longest[source.size])
        val length = buffer(1)
        val score = buffer(1)
        interpreter.runSignature(inputs, mapOf("ids" to found, "lengths" to length, "scores" to score), "decode")
        return Pair(IntArray(length.getInt(0)) { found.getInt(4 * it) }, score.getFloat(0))
    }

    override fun close() = interpreter.close()

    private fun buffer(count: Int) = ByteBuffer.allocateDirect(4 * count).order(ByteOrder.nativeOrder())

    private companion object {
        const val END = 3
    }
}
